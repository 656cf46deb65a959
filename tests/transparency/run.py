"""Runs every test of this folder and ends with a line that counts.

The same request goes to a server directly and through cistern, and the answers are held against
each other byte by byte. Environment: TRANSPARENCY_BINARY (the proxy), TRANSPARENCY_NODE_HOME (a
folder with json-server in its node_modules), TRANSPARENCY_WORK (where logs go). Arguments: patterns
of test names.
"""

import pathlib
import signal
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import processes  # noqa: E402  (the folder must be on the path first)


def main():
    # A signal must unwind, so that every server started here is stopped; unittest lets no other
    # exception than this one through.
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.default_int_handler)
    loader = unittest.TestLoader()
    if len(sys.argv) > 1:
        loader.testNamePatterns = [f"*{pattern}*" for pattern in sys.argv[1:]]
    tests = loader.discover(str(HERE), pattern="test_*.py", top_level_dir=str(HERE))
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=1)
    try:
        result = runner.run(tests)
    except KeyboardInterrupt:
        processes.kill_all()
        sys.exit("interrupted")
    finally:
        wrong = processes.stop_all()
    for line in wrong:
        print(f"FAILED: {line}")
    # A test that is left out has not passed: a missing tool is a failure.
    bad = result.failures + result.errors + result.skipped
    names = {getattr(test, "test_case", test).id() for test, _ in bad}
    failed = len(names) + len(result.unexpectedSuccesses)
    passed = max(0, result.testsRun - failed)
    print(f"outcome: {passed} passed, {failed + len(wrong)} failed")
    sys.exit(0 if failed == 0 and not wrong and passed > 0 else 1)


if __name__ == "__main__":
    main()
