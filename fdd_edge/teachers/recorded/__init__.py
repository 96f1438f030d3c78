"""A recorded bank as a teacher: problems with programs that somebody else's models wrote, each given out once."""

from fdd_edge.teachers.recorded._recorded_bank import Bank, question_key
from fdd_edge.teachers.recorded._recorded_teacher import RecordedTeacher

__all__ = ["Bank", "RecordedTeacher", "question_key"]
