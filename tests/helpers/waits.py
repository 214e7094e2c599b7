"""Waiting for a condition, with a bound."""
import time


def wait_for(what, condition, timeout=20.0, step=0.02):
    """Polls a condition until it gives something true; says what did not happen when it never does."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout:g} s: {what}")
        time.sleep(step)
