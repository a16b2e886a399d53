"""Makes decisions of attestations append-only."""

from django.db import migrations

from numbersadmin.audit.append_only import protect


class Migration(migrations.Migration):
    dependencies = [("attestation", "0001_rounds_sheets_decisions")]
    operations = [protect("attestation_decision")]
