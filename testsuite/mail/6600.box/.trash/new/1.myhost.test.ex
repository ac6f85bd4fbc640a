(no such file)
