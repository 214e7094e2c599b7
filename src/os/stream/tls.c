#include "os/stream/certfile.h"
#include "os/stream/selfcert.h"
#include "os/stream/tls_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

enum { RELAY_VERSION_MIN = 2 }; /* of DERP: the first with a fast start */

struct tls_ctx {
	SSL_CTX *ctx; /* replaced by a reload; connections keep the one that they began with */
	bool server, pinned, verified;
	uint8_t pin[32];
	/* Server: what a reload needs again. */
	char *cert_file, *key_file;
	bool has_relay;
	uint8_t relay[32], relay_version;
};

static struct tls_ctx *ctx_new(bool server)
{
	struct tls_ctx *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->server = server;
	/* A client tells of its failures by a number of ours: the library's texts would be 0.4 MB for nothing. */
	if (!server)
		OPENSSL_init_ssl(
			OPENSSL_INIT_NO_LOAD_SSL_STRINGS | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS,
			NULL);
	t->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!t->ctx)
		return tls_free(t);
	SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	/* Idle connections give their buffers back: a hub has thousands of them. */
	SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (server) {
		SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
		SSL_CTX_set_num_tickets(t->ctx, 0);
	}
	return t;
}

struct tls_ctx *tls_free(struct tls_ctx *t)
{
	if (!t)
		return NULL;
	SSL_CTX_free(t->ctx);
	free(t->cert_file);
	free(t->key_file);
	free(t);
	return NULL;
}

int tls_server_new(
	struct tls_ctx **ret, const char *cert_file, const char *key_file, struct err_at *at)
{
	struct tls_ctx *t = ctx_new(true);
	int rc;

	if (!t)
		return -ENOMEM;
	t->cert_file = strdup(cert_file);
	t->key_file = strdup(key_file);
	rc = t->cert_file && t->key_file ? certfile_use(t->ctx, cert_file, key_file, at) : -ENOMEM;
	if (rc < 0) {
		tls_free(t);
		return rc;
	}
	*ret = t;
	return 0;
}

/* Takes the inside of a context that was made whole. */
static void take_over(struct tls_ctx *t, struct tls_ctx *fresh)
{
	SSL_CTX *old = t->ctx;

	t->ctx = fresh->ctx;
	fresh->ctx = old;
	tls_free(fresh);
}

int tls_server_reload(struct tls_ctx *t, struct err_at *at)
{
	struct tls_ctx *fresh;
	int rc = tls_server_new(&fresh, t->cert_file, t->key_file, at);

	if (rc < 0)
		return rc;
	rc = t->has_relay ? tls_server_add_relay_key(fresh, t->relay, t->relay_version) : 0;
	if (rc < 0) {
		tls_free(fresh);
		return rc;
	}
	take_over(t, fresh);
	return 0;
}

int tls_server_self_made(
	struct tls_ctx **ret, const char *file, const char *name, struct err_at *at)
{
	int rc = selfcert_holds(file, name) ? 0 : selfcert_write(file, name);

	if (rc < 0) {
		err_at_set(at, 0, 0, "%s: %s", file, err_text(rc));
		return rc;
	}
	return tls_server_new(ret, file, file, at);
}

int tls_server_add_relay_key(struct tls_ctx *t, const uint8_t relay[static 32], uint8_t version)
{
	X509 *c = selfcert_relay_key(relay, version);
	bool ok = c && SSL_CTX_add0_chain_cert(t->ctx, c) == 1;

	if (!ok) {
		X509_free(c);
		return -ERR_TLS;
	}
	t->has_relay = true;
	t->relay_version = version;
	memcpy(t->relay, relay, sizeof(t->relay));
	return 0;
}

static unix_ms time_of(const ASN1_TIME *a)
{
	struct tm tm;

	return ASN1_TIME_to_tm(a, &tm) == 1 ? (unix_ms)timegm(&tm) * 1000 : 0;
}

void tls_cert_facts(const struct tls_ctx *t, const char *name, struct tls_cert_facts *ret)
{
	X509 *c = SSL_CTX_get0_certificate(t->ctx);

	*ret = (struct tls_cert_facts){ .not_before = time_of(X509_get0_notBefore(c)),
		.not_after = time_of(X509_get0_notAfter(c)),
		.is_for_name = selfcert_is_for(c, name) };
}

int tls_cert_hash(const struct tls_ctx *t, uint8_t ret[static 32])
{
	X509 *c = SSL_CTX_get0_certificate(t->ctx);
	unsigned n = 32;

	return c && X509_digest(c, EVP_sha256(), ret, &n) == 1 ? 0 : -ERR_TLS;
}

int tls_client_new(struct tls_ctx **ret, const uint8_t *pin)
{
	struct tls_ctx *t = ctx_new(false);

	if (!t)
		return -ENOMEM;
	if (pin) {
		t->pinned = true;
		memcpy(t->pin, pin, sizeof(t->pin));
		SSL_CTX_set_verify(t->ctx, SSL_VERIFY_NONE, NULL); /* tls_pin_holds decides */
	} else {
		t->verified = true;
		SSL_CTX_set_default_verify_paths(t->ctx);
		SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	}
	*ret = t;
	return 0;
}

int tls_client_reload(struct tls_ctx *t)
{
	struct tls_ctx *fresh;
	int rc = t->verified ? tls_client_new(&fresh, NULL) : 0;

	if (rc == 0 && t->verified)
		take_over(t, fresh);
	return rc;
}

int tls_client_any(struct tls_ctx **ret)
{
	struct tls_ctx *t = ctx_new(false);

	if (!t)
		return -ENOMEM;
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_NONE, NULL);
	*ret = t;
	return 0;
}

static bool is_address(const char *host)
{
	uint8_t b[16];

	return inet_pton(AF_INET, host, b) == 1 || inet_pton(AF_INET6, host, b) == 1;
}

SSL *tls_open(struct tls_ctx *t, int fd, const char *host)
{
	SSL *ssl = SSL_new(t->ctx);

	if (!ssl || SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	if (t->server) {
		SSL_set_accept_state(ssl);
		return ssl;
	}
	SSL_set_connect_state(ssl);
	if (host && is_address(host)) {
		X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
	} else if (host) {
		SSL_set_tlsext_host_name(ssl, host);
		SSL_set1_host(ssl, host);
	}
	return ssl;
}

/* ---- What went wrong ---- */

static int of_certificate(long verdict)
{
	switch (verdict) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return -ERR_CERT_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return -ERR_CERT_NOT_YET;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		return -ERR_CERT_ISSUER;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
		return -ERR_CERT_SELF_SIGNED;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return -ERR_CERT_NAME;
	case X509_V_ERR_CERT_REVOKED:
		return -ERR_CERT_REVOKED;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return -ERR_CERT_WEAK;
	default:
		return -ERR_CERT_BAD;
	}
}

static int of_protocol(const SSL *ssl, int reason)
{
	switch (reason) {
	case SSL_R_CERTIFICATE_VERIFY_FAILED:
		return of_certificate(SSL_get_verify_result(ssl));
	case SSL_R_WRONG_VERSION_NUMBER: /* also what is no TLS at all: the first bytes are taken for a version */
	case SSL_R_PACKET_LENGTH_TOO_LONG:
	case SSL_R_RECORD_LENGTH_MISMATCH:
	case SSL_R_UNEXPECTED_MESSAGE:
	case SSL_R_BAD_RECORD_TYPE:
		return -ERR_NOT_TLS;
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_AD_REASON_OFFSET + SSL_AD_PROTOCOL_VERSION:
		return -ERR_TLS_VERSION;
	case SSL_R_EE_KEY_TOO_SMALL:
	case SSL_R_CA_KEY_TOO_SMALL:
	case SSL_R_CA_MD_TOO_WEAK:
	case SSL_R_DH_KEY_TOO_SMALL:
		return -ERR_CERT_WEAK;
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return -ERR_TLS_CUT;
	default:
		return reason > SSL_AD_REASON_OFFSET ? -ERR_TLS_ALERT : -ERR_TLS;
	}
}

int tls_failure(const SSL *ssl, int e)
{
	unsigned long first = ERR_peek_error();
	bool began = SSL_is_init_finished(ssl);

	if (SSL_is_server(ssl))
		return e == SSL_ERROR_ZERO_RETURN ? -ERR_CLOSED : -ERR_TLS;
	if (e == SSL_ERROR_ZERO_RETURN || (e == SSL_ERROR_SYSCALL && !errno))
		return began ? -ERR_CLOSED : -ERR_TLS_CUT;
	if (e == SSL_ERROR_SYSCALL)
		return -errno;
	return of_protocol(ssl, ERR_GET_REASON(first));
}

bool tls_pin_holds(const struct tls_ctx *t, SSL *ssl)
{
	uint8_t hash[32];
	unsigned n = sizeof(hash);
	X509 *c;
	bool ok;

	if (!t->pinned)
		return true;
	c = SSL_get1_peer_certificate(ssl);
	ok = c && X509_digest(c, EVP_sha256(), hash, &n) == 1 &&
	     CRYPTO_memcmp(hash, t->pin, sizeof(hash)) == 0;
	X509_free(c);
	return ok;
}

bool tls_relay_key(SSL *ssl, uint8_t ret[static 32])
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	uint8_t version;

	/* Before TLS 1.3 certificates are sent in the clear, and relays of the time did not know the fast start. */
	if (SSL_version(ssl) < TLS1_3_VERSION)
		return false;
	for (int i = 0; chain && i < sk_X509_num(chain); i++)
		if (selfcert_names_relay_key(sk_X509_value(chain, i), ret, &version))
			return version >= RELAY_VERSION_MIN;
	return false;
}
