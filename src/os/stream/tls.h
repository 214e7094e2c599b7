/* os/stream/tls: what a TLS side is configured with. OpenSSL behind it. */
#ifndef WARREN_OS_STREAM_TLS_H
#define WARREN_OS_STREAM_TLS_H

#include "base/bytes/bytes.h"
#include "base/err/err.h"
#include "base/time/time.h"

struct tls_ctx;

/* Files in PEM. at->text says what is wrong, with which, and what to do. */
MUST_USE int tls_server_new(
	struct tls_ctx **ret, const char *cert_file, const char *key_file, struct err_at *at);
/* Reads them again, for connections from now on; those that are open go on. On error everything stays as it is. */
MUST_USE int tls_server_reload(struct tls_ctx *t, struct err_at *at);
/*
 * A key and a self-signed certificate for a host name or address, made on first use or when the name has changed, and kept
 * in the file (0600): for hubs without a domain, pinned by hash in the relay map.
 */
MUST_USE int tls_server_self_made(
	struct tls_ctx **ret, const char *file, const char *name, struct err_at *at);
/* Appends the certificate that names a relay's public key, so that clients can start at once (relay fast start). */
MUST_USE int tls_server_add_relay_key(
	struct tls_ctx *t, const uint8_t relay[static 32], uint8_t version);
/* SHA-256 of our certificate's DER, as "sha256-raw:<hex>" names it. */
MUST_USE int tls_cert_hash(const struct tls_ctx *t, uint8_t ret[static 32]);
struct tls_cert_facts {
	unix_ms not_before, not_after;
	bool is_for_name;
};
/* Of a server's certificate: until when, and whether clients that ask for this host name or address take it. */
void tls_cert_facts(const struct tls_ctx *t, const char *name, struct tls_cert_facts *ret);
/* System roots (SSL_CERT_FILE is honoured); with pin (32 bytes) that certificate and nothing else. */
MUST_USE int tls_client_new(struct tls_ctx **ret, const uint8_t *pin);
/* Reads the system's roots again, for connections from now on; nothing to do where others decide. On error the old ones stay. */
MUST_USE int tls_client_reload(struct tls_ctx *t);
/* Whatever certificate there is: for streams whose content authenticates the other side. */
MUST_USE int tls_client_any(struct tls_ctx **ret);
struct tls_ctx *tls_free(struct tls_ctx *t);

#endif
