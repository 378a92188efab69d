"""What happens to requests on the way: recorded, delayed, cut, refused; and their wire form."""
