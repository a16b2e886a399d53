# One image for web, worker and beat.
FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 1000 numbersadmin && install -d -o numbersadmin /var/lib/numbersadmin
WORKDIR /srv/numbersadmin
COPY requirements.lock .
RUN pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY . .
ENV VAR_DIR=/var/lib/numbersadmin PYTHONUNBUFFERED=1
USER numbersadmin
