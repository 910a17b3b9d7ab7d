print("synaxis")
