class Restarting:
    def __init__(self, *a): pass
    def order(self, cell): return False
    def resume(self, cell, handler): return False
    def give_up(self, cell, ending): return False
