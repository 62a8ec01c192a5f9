# trl-dsmath on a CPU: the README's commands for a clone, with the versions of constraints.txt.
#   docker build -t trl-dsmath . && docker run --rm trl-dsmath dsmath quickstart
#   docker run --rm trl-dsmath make test
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends bubblewrap chromium g++ git make && rm -rf /var/lib/apt/lists/*
WORKDIR /trl-dsmath
COPY . .
RUN make .venv/.installed
ENV PATH=/trl-dsmath/.venv/bin:$PATH
CMD ["dsmath", "--help"]
