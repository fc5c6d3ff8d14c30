a file where a folder belongs
