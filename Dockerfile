# Builds the program, then an image with nothing but it. The result needs no writable file system,
# apart from log files where the settings name any, and from `run --demo`, which uses /tmp.

# The version that Cargo.toml promises to build with.
FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY src ./src
# Cargo reads no manifest whose benches are missing, though none of them is built.
COPY benches ./benches
# The demonstration's rules are part of the program.
COPY rules ./rules
RUN cargo build --locked --release --bin cistern

FROM debian:bookworm-slim
COPY --from=build /build/target/release/cistern /usr/local/bin/cistern
# Loopback is the default; in a container the proxy must be reached from outside. The admin calls
# stay on loopback, where the health check asks.
RUN mkdir -p /etc/cistern \
    && printf '[[listen]]\naddress = "0.0.0.0:8080"\n' > /etc/cistern/cistern.toml
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["cistern", "health"]
ENTRYPOINT ["cistern"]
# Mount a configuration over /etc/cistern, or give other arguments:
#   docker run -p 8080:8080 cistern run --listen 0.0.0.0:8080 --origin http://api.example:8000
CMD ["run", "--config", "/etc/cistern/cistern.toml"]
