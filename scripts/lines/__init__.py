"""Synthetic pictures of handwritten numbers: the training set of the shipped model that reads whole numbers.

text.py chooses a number as people write it, writer.py writes it with a pen, backgrounds.py prints the paper, and
picture.py photographs it. collect.py draws many pictures.
"""
