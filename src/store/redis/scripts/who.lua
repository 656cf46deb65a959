-- Who this is. Like any script, it is refused by a server that is loading or out of touch.
return run_id()
