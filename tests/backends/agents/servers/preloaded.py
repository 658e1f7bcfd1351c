"""`honest.py` on stdio without its start: a fork of a process that has loaded it already. The SDK takes a second to load.

`preloaded.py serve PATH` loads it and listens. `preloaded.py PATH` is the program that is bound: it hands over its
streams, folder and environment, and ends as the fork does.
"""

import os
import signal
import socket
import sys


def serve(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        import honest

        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a fork but its program
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                tell_the_end_of(connection, lambda: honest.server.run("stdio"))
            connection.close()


def tell_the_end_of(connection: socket.socket, run) -> None:
    import contextlib
    import select

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    variables, fds, _, _ = socket.recv_fds(connection, 1 << 20, 4)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            connection.close()
            become(variables, fds)
            run()
            code = 0
        finally:
            os._exit(code)
    for fd in fds:
        os.close(fd)
    ended, _, _ = select.select([os.pidfd_open(child), connection], [], [])
    if connection in ended:  # whoever started the program has killed it
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(BrokenPipeError):
        connection.send(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
    os._exit(0)


def become(variables: bytes, fds: list[int]) -> None:
    """The process whose streams, folder and environment were handed over."""
    folder, *streams = fds
    os.fchdir(folder)
    for target, fd in enumerate(streams):
        os.dup2(fd, target)
    for fd in fds:
        os.close(fd)
    os.environ.clear()
    os.environb.update(each.split(b"=", 1) for each in variables.split(b"\0"))


def hand_over(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        folder = os.open(".", os.O_RDONLY)
        variables = b"\0".join(b"=".join(pair) for pair in os.environb.items())
        socket.send_fds(connection, [variables], [folder, 0, 1, 2])
        for fd in (0, 1, 2):
            os.close(fd)
        sys.exit(int.from_bytes(connection.recv(1)))


if __name__ == "__main__":
    serve(sys.argv[2]) if sys.argv[1] == "serve" else hand_over(sys.argv[1])
