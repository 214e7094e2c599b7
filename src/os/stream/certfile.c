#include "os/stream/certfile.h"
#include "os/file/file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PEEK = 64 * 1024 };

/* A key that is closed to a service has ways to be opened to it. */
static int cannot_open(const char *file, int rc, struct err_at *at)
{
	size_t n;

	file_explain(file, rc, at);
	n = strlen(at->text);
	if (rc == -EACCES)
		snprintf(at->text + n, sizeof(at->text) - n,
			"; \"Certificates and proxies\" in the documentation has ways to open it");
	return rc;
}

/* The beginning of the file as text. */
static int peek(const char *file, char text[static PEEK], struct err_at *at)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), e;
	ssize_t n = fd < 0 ? -1 : read(fd, text, PEEK - 1);

	e = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return cannot_open(file, -e, at);
	text[n] = 0;
	return 0;
}

static int no_pem(
	const char *file, const char *what, bool other, const char *other_what, struct err_at *at)
{
	ERR_clear_error();
	if (other)
		err_at_set(at, 0, 0, "%s: holds %s and not %s; are the two files exchanged?", file,
			other_what, what);
	else
		err_at_set(at, 0, 0,
			"%s: holds no %s in PEM (\"-----BEGIN ...\"), or a damaged one", file,
			strchr(what, ' ') + 1);
	return -ERR_BAD_FORMAT;
}

/* A service has nobody to ask. */
static int no_passphrase(char *out, int size, int writing, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

static int use_cert(SSL_CTX *ctx, const char *file, const char *text, struct err_at *at)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, file) == 1)
		return 0;
	return no_pem(file, "a certificate",
		!strstr(text, "BEGIN CERTIFICATE") && strstr(text, "PRIVATE KEY"), "a private key",
		at);
}

static int use_key(SSL_CTX *ctx, const char *file, const char *text, struct err_at *at)
{
	bool asked = false;
	int ok;

	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
	ok = SSL_CTX_use_PrivateKey_file(ctx, file, SSL_FILETYPE_PEM);
	SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
	if (ok == 1)
		return 0;
	if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
		return -ERR_BAD_VALUE;
	if (!asked)
		return no_pem(file, "a private key",
			!strstr(text, "PRIVATE KEY") && strstr(text, "BEGIN CERTIFICATE"),
			"a certificate", at);
	ERR_clear_error();
	err_at_set(at, 0, 0,
		"%s: the key is locked with a passphrase; \"openssl pkey -in %s -out FILE\" writes it without",
		file, file);
	return -ERR_BAD_FORMAT;
}

int certfile_use(SSL_CTX *ctx, const char *cert_file, const char *key_file, struct err_at *at)
{
	char text[PEEK];
	int rc = peek(cert_file, text, at);

	if (rc == 0)
		rc = use_cert(ctx, cert_file, text, at);
	if (rc == 0)
		rc = peek(key_file, text, at);
	if (rc == 0)
		rc = use_key(ctx, key_file, text, at);
	if (rc == 0 && SSL_CTX_check_private_key(ctx) != 1)
		rc = -ERR_BAD_VALUE;
	if (rc == -ERR_BAD_VALUE) {
		ERR_clear_error();
		err_at_set(at, 0, 0,
			"%s and %s do not belong together: the key is another certificate's",
			cert_file, key_file);
	}
	OPENSSL_cleanse(text, sizeof(text));
	return rc;
}
