# Lexel's server without torch: for models that were exported (lexel models export), and libraries made with one.
#   docker build -t lexel . && docker run --rm -p 127.0.0.1:8000:8000 -v "$PWD/served:/data" lexel serve /data/photos.lexel
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN python -m venv /opt/lexel && \
    /opt/lexel/bin/pip install --no-cache-dir --constraint constraints.txt ".[serve,search]"

FROM python:3.12-slim
COPY --from=build /opt/lexel /opt/lexel
ENV PATH=/opt/lexel/bin:$PATH PYTHONUNBUFFERED=1 LEXEL_CACHE=/tmp/lexel
RUN useradd --create-home --uid 1000 lexel
USER lexel
WORKDIR /data
EXPOSE 8000
# The first start may build the index of a large library.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["lexel"]
CMD ["serve", "/data/photos.lexel", "--host", "0.0.0.0", "--port", "8000"]
