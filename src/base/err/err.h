/*
 * base/err: one int for every result. 0 is success; negative is an error to forward unchanged, either
 * -errno or -ERR_x; positive is an outcome that is documented at the function that returns it.
 */
#ifndef WARREN_BASE_ERR_ERR_H
#define WARREN_BASE_ERR_ERR_H

#include "base/attr/attr.h"

#define ERR_LIST(X) \
	X(TRUNCATED, "input ends early") \
	X(TRAILING, "input has bytes after its end") \
	X(BAD_TAG, "authentication tag does not match") \
	X(BAD_KEY, "key is malformed or of low order") \
	X(BAD_FORMAT, "input is malformed") \
	X(BAD_TYPE, "message or frame type is not expected here") \
	X(BAD_VALUE, "a value is out of its range") \
	X(BAD_VERSION, "protocol version is not supported") \
	X(TOO_BIG, "input is larger than its limit") \
	X(TOO_MANY, "more items than the limit allows") \
	X(NO_ROOM, "there is no room for more now") \
	X(TOO_DEEP, "input is nested deeper than the limit") \
	X(REPLAY, "message was seen before") \
	X(NO_SESSION, "no session with this peer yet") \
	X(NO_PEER, "no such peer") \
	X(NO_NAME, "the name does not exist") \
	X(NO_RESOLVER, "no name server answers") \
	X(NO_ROUTE, "no peer has this address") \
	X(NO_ADDRESS, \
		"the policy's pool of addresses for this device is full: make its ipPool larger") \
	X(DENIED, "not allowed") \
	X(QUEUE_FULL, "queue is full") \
	X(FLOOD, "the other side asks for more than it may") \
	X(CLOSED, "connection is closed") \
	X(PROXY, "the proxy's header is missing, malformed or late") \
	X(BAD_STATE, "not possible in this state") \
	X(CRYPTO, "the crypto library refused the operation") \
	X(STORE, "the database refused the operation") \
	X(CONFLICT, "somebody else changed this first") \
	X(CHANGED, "it is not what was shown any more") \
	X(EXPIRED, "has expired") \
	X(UNSUPPORTED, "not supported") \
	X(SILENT, "no answer came") \
	X(TLS, "TLS failed") \
	X(TLS_ALERT, "the other side refused TLS") \
	X(TLS_VERSION, "no version of TLS that both sides know") \
	X(TLS_CUT, "the other side ended the connection instead of TLS") \
	X(NOT_TLS, "the other side does not speak TLS") \
	X(WANTS_TLS, "the other side wants TLS") \
	X(CERT_EXPIRED, "the certificate has expired") \
	X(CERT_NOT_YET, "the certificate is not valid yet") \
	X(CERT_ISSUER, "the certificate is of an unknown authority") \
	X(CERT_SELF_SIGNED, "the certificate is signed by itself") \
	X(CERT_NAME, "the certificate is for another name") \
	X(CERT_PIN, "the certificate is not the one that was named") \
	X(CERT_REVOKED, "the certificate was revoked") \
	X(CERT_WEAK, "the certificate is too weak") \
	X(CERT_BAD, "the certificate is not acceptable") \
	X(NOT_HTTP, "the other side does not speak HTTP") \
	X(NOT_HUB, "the answer is not a hub's") \
	X(OTHER_HUB, "that is another hub") \
	X(OTHER_KEY, "the hub shows another key than before") \
	X(PEER, "the other side reported an error")

enum err {
	ERR_FIRST = 4096, /* above every errno: -EAGAIN and -ERR_BAD_TAG share one int */
#define X(id, text) ERR_##id,
	ERR_LIST(X)
#undef X
		ERR_HTTP = 8192, /* and the status: an HTTP answer that was not the one wanted */
};

static inline int err_http(int status)
{
	return -(ERR_HTTP + status);
}

/* The status of such an error; 0: it is another one. */
static inline int err_http_status(int rc)
{
	return rc < -ERR_HTTP && rc > -ERR_HTTP - 1000 ? -rc - ERR_HTTP : 0;
}

/* Did TLS fail, for whatever reason of its own? */
static inline bool err_is_tls(int rc)
{
	return -rc >= ERR_TLS && -rc <= ERR_CERT_BAD;
}

/* Text for a result of any sign; never NULL, static storage. */
const char *err_text(int rc);

/* Where in a text that a person wrote the fault is. Line and column count from 1; 0 is unknown. */
struct err_at {
	unsigned line, column;
	char text[400];
};

void err_at_set(struct err_at *at, unsigned line, unsigned column, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

#endif
