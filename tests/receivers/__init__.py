"""Servers on loopback that take notifications, or fail to in the ways real ones do."""

from tests.receivers.certificate import Certificate, make_certificate
from tests.receivers.mail import MailServer
from tests.receivers.silent import SilentServer
from tests.receivers.webhook import Webhook

__all__ = ["Certificate", "MailServer", "SilentServer", "Webhook", "make_certificate"]
