/* os/stream/selfcert: certificates that we make ourselves. */
#ifndef WARREN_OS_STREAM_SELFCERT_H
#define WARREN_OS_STREAM_SELFCERT_H

#include "base/err/err.h"

#include <openssl/x509.h>

/* Is there a certificate in this file that is valid now and is for this host name or address? */
bool selfcert_holds(const char *file, const char *name);
/* Is it for this host name or address? */
bool selfcert_is_for(X509 *c, const char *name);
/* A P-256 key and its certificate for ten years, in one file (0600), replaced atomically. */
MUST_USE int selfcert_write(const char *file, const char *name);
/*
 * The certificate behind the chain in which a relay names its public key: CN "derpkey" and the key in hex, serial number
 * the protocol's version, no extension but "not a CA". Signed by a key that is forgotten. NULL on failure.
 */
X509 *selfcert_relay_key(const uint8_t relay[static 32], uint8_t version);
/* The other way: is this such a certificate? */
bool selfcert_names_relay_key(X509 *c, uint8_t ret_relay[static 32], uint8_t *ret_version);

#endif
