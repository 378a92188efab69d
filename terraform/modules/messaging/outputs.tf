output "dead_letter_subscription" {
  description = "Name of the subscription from which people pull what was given up."
  value       = google_pubsub_subscription.dead_letter.name
}

output "subscriptions" {
  description = "Names of the push subscriptions, by endpoint."
  value       = { for key, push in google_pubsub_subscription.push : key => push.name }
}

output "topics" {
  description = "Full names of the topics, by use."
  value       = { for use, topic in google_pubsub_topic.this : use => topic.id }
}
