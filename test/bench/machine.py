# SPDX-License-Identifier: MIT
"""What a run was made on."""
import os
import platform
import time


def first_line(path):
    try:
        with open(path) as f:
            return f.readline().strip()
    except OSError:
        return ""


def cpu_fields():
    fields = {}
    with open("/proc/cpuinfo") as f:
        for line in f:
            key, _, value = line.partition(":")
            fields.setdefault(key.strip(), value.strip())
    return fields


def virtualisation(fields):
    words = [first_line("/sys/class/dmi/id/" + n) for n in ("sys_vendor", "product_name")]
    named = " ".join(w for w in words if w)
    if "hypervisor" in fields.get("flags", "").split():
        return "virtual machine" + (" (%s)" % named if named else "")
    return "none seen" + (" (%s)" % named if named else "")


def memory_mib():
    with open("/proc/meminfo") as f:
        return int(f.readline().split()[1]) // 1024


def system():
    try:
        with open("/etc/os-release") as f:
            for line in f:
                if line.startswith("PRETTY_NAME="):
                    return line.partition("=")[2].strip().strip('"')
    except OSError:
        pass
    return platform.system()


def describe():
    fields = cpu_fields()
    return {
        "cpu": fields.get("model name") or fields.get("Model") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "system": system(),
        "virtualisation": virtualisation(fields),
        "memory_mib": memory_mib(),
        "load": list(os.getloadavg()),
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def words(m):
    return ("%(cpu)s, %(cores)d cores, %(memory_mib)d MiB, %(system)s, kernel %(kernel)s, "
            "virtualisation: %(virtualisation)s, load at the start %(at).2f, %(date)s"
            % dict(m, at=m["load"][0]))
