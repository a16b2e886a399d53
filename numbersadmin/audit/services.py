"""Every write to the audit log: recording what happened, and sealing what was recorded."""

from numbersadmin.audit.recording import event, record, record_all
from numbersadmin.audit.seal import NotSettled, seal

__all__ = ["NotSettled", "event", "record", "record_all", "seal"]
