/* os/stream/tls_internal: between tls.c and stream.c. */
#ifndef WARREN_OS_STREAM_TLS_INTERNAL_H
#define WARREN_OS_STREAM_TLS_INTERNAL_H

#include "os/stream/tls.h"

#include <openssl/ssl.h>

/* A new connection's state. host: client only. NULL without memory. */
SSL *tls_open(struct tls_ctx *t, int fd, const char *host);
/*
 * What is wrong, as an error to forward, when OpenSSL's last call said `e` (SSL_get_error) and the error queue is still as it
 * left it. A client's tell the kinds apart that a person can do something about; a server's are all -ERR_TLS.
 */
MUST_USE int tls_failure(const SSL *ssl, int e);
/* After the handshake, client only: is the certificate the pinned one? True without a pin. */
bool tls_pin_holds(const struct tls_ctx *t, SSL *ssl);
/* Likewise: the relay's key, if it sent a certificate that names one. */
bool tls_relay_key(SSL *ssl, uint8_t ret[static 32]);

#endif
