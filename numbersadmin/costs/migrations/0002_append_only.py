"""Makes the ledger, the closes and the waivers append-only."""

from django.db import migrations

from numbersadmin.audit.append_only import protect


class Migration(migrations.Migration):
    dependencies = [("costs", "0001_ledger")]
    operations = [protect(table) for table in ("costs_ledgerline", "costs_monthclose", "costs_waiver")]
