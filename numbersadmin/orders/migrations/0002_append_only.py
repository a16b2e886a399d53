"""Makes decisions append-only."""

from django.db import migrations

from numbersadmin.audit.append_only import protect


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial")]
    operations = [protect("orders_decision")]
