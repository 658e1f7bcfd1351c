"""Programs that take more than they may, by the constraint that bounds them: its value, and code that knows `task`."""

PRELUDE = "import json, os, sys, time\ntask = {'artifacts_dir': sys.argv[1]}\n"

HOGS = {
    "max_memory_mb": (96, "import gc; held = [bytearray(8 << 20) for _ in range(400)]"),
    "max_memory_mb together": (96, "[os.fork() or (bytearray(64 << 20), time.sleep(9)) for _ in range(9)]; time.sleep(9)"),
    "max_memory_mb in files": (96, "m = __import__('mmap').mmap(-1, 1 << 30); [m.write(bytes(1 << 20)) for _ in range(1000)]"),
    "max_processes": (8, "[os.fork() or time.sleep(9) for _ in range(40)]; time.sleep(9)"),
    "max_processes bomb": (8, "while True:\n    try: os.fork()\n    except OSError: pass"),
    "max_processes as threads": (
        8, "import threading\nfor _ in range(40): threading.Thread(target=time.sleep, args=(9,)).start()",
    ),
    "max_artifact_mb": (
        2, "[open(f\"{task['artifacts_dir']}/{n}\", 'wb').write(bytes(1 << 20)) for n in range(4000)]",
    ),
    "max_artifact_mb in one file": (
        2, "f = open(f\"{task['artifacts_dir']}/large\", 'wb')\nfor _ in range(3000): f.write(bytes(1 << 20))",
    ),
    "max_artifact_mb removed": (
        2,
        "held = []\nfor n in range(3000):\n    p = f\"{task['artifacts_dir']}/{n}\"\n    held.append(open(p, 'wb', 0)); os.unlink(p); held[-1].write(bytes(1 << 20))",
    ),
}  # fmt: skip
