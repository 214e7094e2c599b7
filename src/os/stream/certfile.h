/* os/stream/certfile: a certificate and its key from files, and in words why not. */
#ifndef WARREN_OS_STREAM_CERTFILE_H
#define WARREN_OS_STREAM_CERTFILE_H

#include "base/err/err.h"

#include <openssl/ssl.h>

/*
 * Both in PEM, the certificate with its chain. at->text names the file, for whom it is closed, what is wrong with it and what to do.
 * -errno, -ERR_BAD_FORMAT, -ERR_BAD_VALUE (they do not belong together), -ERR_TLS.
 */
MUST_USE int certfile_use(
	SSL_CTX *ctx, const char *cert_file, const char *key_file, struct err_at *at);

#endif
