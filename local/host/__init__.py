"""Runs any Azure Functions app of the Python v2 model on one machine: HTTP, queues and timers."""

from local.host.admin_guard import KEY_HEADER, admin_key
from local.host.bounds import Bounds
from local.host.broker import Broker, Message, QueueCounts, Received, Session
from local.host.errors import StartupError
from local.host.group_process import end_now, end_with_standard_input, report_port
from local.host.groups import GroupedHost
from local.host.host import Host
from local.host.run import run, serve

__all__ = [
    "KEY_HEADER",
    "Bounds",
    "Broker",
    "GroupedHost",
    "Host",
    "Message",
    "QueueCounts",
    "Received",
    "Session",
    "StartupError",
    "admin_key",
    "end_now",
    "end_with_standard_input",
    "report_port",
    "run",
    "serve",
]
