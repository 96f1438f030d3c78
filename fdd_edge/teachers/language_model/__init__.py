"""A teacher that is a language model: what it is asked, how its replies are read, and who asks it."""
