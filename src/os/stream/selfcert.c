#include "os/stream/selfcert.h"
#include "base/text/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CN_MAX = 64 }; /* X.520; longer names stand in the alternative names only */
static const char relay_key_prefix[] = "derpkey";
enum { PREFIX_LEN = sizeof(relay_key_prefix) - 1, RELAY_KEY_CN_LEN = PREFIX_LEN + 2 * 32 };
#define DAYS(n) ((n)*86400L)

static size_t address_of(const char *name, uint8_t b[static 16])
{
	return inet_pton(AF_INET, name, b) == 1 ? 4 : inet_pton(AF_INET6, name, b) == 1 ? 16 : 0;
}

bool selfcert_is_for(X509 *c, const char *name)
{
	uint8_t b[16];
	size_t n = address_of(name, b);

	return (n ? X509_check_ip(c, b, n, 0)
		  : X509_check_host(c, name, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL)) == 1;
}

bool selfcert_holds(const char *file, const char *name)
{
	FILE *f = fopen(file, "re");
	X509 *c = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
	bool ok = c && X509_cmp_current_time(X509_get0_notAfter(c)) > 0 && selfcert_is_for(c, name);

	X509_free(c);
	if (f)
		fclose(f);
	return ok;
}

/* Everything but names and the signature. */
static X509 *cert_new(EVP_PKEY *key, long serial, long before, long after)
{
	X509 *c = X509_new();

	if (c && X509_set_version(c, 2) == 1 &&
		ASN1_INTEGER_set(X509_get_serialNumber(c), serial) == 1 &&
		X509_gmtime_adj(X509_getm_notBefore(c), -before) &&
		X509_gmtime_adj(X509_getm_notAfter(c), after) && X509_set_pubkey(c, key) == 1)
		return c;
	X509_free(c);
	return NULL;
}

static bool add_alternative_name(X509 *c, const char *name)
{
	GENERAL_NAMES *all = GENERAL_NAMES_new();
	GENERAL_NAME *one = GENERAL_NAME_new();
	ASN1_OCTET_STRING *text = ASN1_STRING_type_new(V_ASN1_OCTET_STRING);
	uint8_t b[16];
	size_t n = address_of(name, b);
	bool ok = false;

	if (all && one && text &&
		ASN1_STRING_set(text, n ? (const char *)b : name, n ? (int)n : (int)strlen(name)) ==
			1) {
		if (!n)
			text->type = V_ASN1_IA5STRING;
		GENERAL_NAME_set0_value(one, n ? GEN_IPADD : GEN_DNS, text);
		text = NULL;
		if (sk_GENERAL_NAME_push(all, one) > 0) {
			one = NULL;
			ok = X509_add1_ext_i2d(
				     c, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
		}
	}
	ASN1_STRING_free(text);
	GENERAL_NAME_free(one);
	GENERAL_NAMES_free(all);
	return ok;
}

/* What counts is the certificate's hash, which the hub tells its devices; those who check the name find it, too. */
static X509 *self_sign(EVP_PKEY *key, const char *name)
{
	X509 *c = cert_new(key, 1, 3600, DAYS(3650));
	const char *cn = strlen(name) <= CN_MAX ? name : "warren";

	if (c &&
		X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8,
			(const uint8_t *)cn, -1, -1, 0) == 1 &&
		X509_set_issuer_name(c, X509_get_subject_name(c)) == 1 &&
		add_alternative_name(c, name) && X509_sign(c, key, EVP_sha256()) != 0)
		return c;
	X509_free(c);
	return NULL;
}

static int write_both(const char *file, EVP_PKEY *key, X509 *cert)
{
	char tmp[4096];
	int fd, rc;
	FILE *f;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", file) >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return -errno;
	rc = PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 &&
			     PEM_write_X509(f, cert) == 1
		     ? 0
		     : -ERR_TLS;
	if (rc == 0 && (fflush(f) != 0 || fsync(fd) != 0))
		rc = -errno;
	fclose(f);
	if (rc == 0 && rename(tmp, file) != 0)
		rc = -errno;
	return rc;
}

int selfcert_write(const char *file, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = key ? self_sign(key, name) : NULL;
	int rc = cert ? write_both(file, key, cert) : -ERR_TLS;

	X509_free(cert);
	EVP_PKEY_free(key);
	return rc;
}

X509 *selfcert_relay_key(const uint8_t relay[static 32], uint8_t version)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *c = key ? cert_new(key, version, DAYS(30), DAYS(30)) : NULL;
	BASIC_CONSTRAINTS *no_ca = BASIC_CONSTRAINTS_new();
	char cn[RELAY_KEY_CN_LEN + 1];
	bool ok;

	memcpy(cn, relay_key_prefix, PREFIX_LEN);
	hex_encode(relay, 32, cn + PREFIX_LEN);
	/* By type and not by text form: the name is longer than X.520 allows, and OpenSSL would refuse it. */
	ok = c && no_ca &&
	     X509_NAME_add_entry_by_NID(X509_get_subject_name(c), NID_commonName,
		     V_ASN1_PRINTABLESTRING, (const uint8_t *)cn, -1, -1, 0) == 1 &&
	     X509_set_issuer_name(c, X509_get_subject_name(c)) == 1 &&
	     X509_add1_ext_i2d(c, NID_basic_constraints, no_ca, 1, X509V3_ADD_DEFAULT) == 1 &&
	     X509_sign(c, key, NULL) != 0;
	BASIC_CONSTRAINTS_free(no_ca);
	EVP_PKEY_free(key);
	if (ok)
		return c;
	X509_free(c);
	return NULL;
}

bool selfcert_names_relay_key(X509 *c, uint8_t ret_relay[static 32], uint8_t *ret_version)
{
	const X509_NAME *name = X509_get_subject_name(c);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	const ASN1_STRING *cn =
		at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
	const char *text = cn ? (const char *)ASN1_STRING_get0_data(cn) : NULL;
	uint64_t version;

	if (!cn || ASN1_STRING_length(cn) != RELAY_KEY_CN_LEN ||
		memcmp(text, relay_key_prefix, PREFIX_LEN) != 0 ||
		hex_decode(text + PREFIX_LEN, 2 * 32, ret_relay) < 0 ||
		ASN1_INTEGER_get_uint64(&version, X509_get0_serialNumber(c)) != 1 ||
		version > UINT8_MAX)
		return false;
	*ret_version = (uint8_t)version;
	return true;
}
