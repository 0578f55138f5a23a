"""What a plan would cost a month: its graph, what it is used for, and dated list prices."""
