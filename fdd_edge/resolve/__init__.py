"""From what a user wrote to what it names: a student, a model, a data set, a prompt."""
