#!/usr/bin/python3
"""Turns a text file into one C string literal, to be #included.

Usage: embed.py INPUT OUTPUT
"""
import sys

with open(sys.argv[1], encoding="utf-8") as text, open(sys.argv[2], "w", encoding="utf-8") as out:
    for line in text:
        line = line.rstrip("\n").replace("\\", "\\\\").replace('"', '\\"')
        out.write(f'"{line}\\n"\n')
