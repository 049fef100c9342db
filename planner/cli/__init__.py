"""The command line: parse, one library call, render. Only this room prints and exits."""
