#include "core/reason/reason.h"

#include <errno.h>
#include <string.h>

/*
 * In the texts {host}, {port}, {clock} and {status} are filled in. The texts of a hub and of a relay differ only where what
 * to do differs.
 */
struct entry {
	int rc;
	const char *hub, *relay; /* relay NULL: the same */
};

static const struct entry entries[] = {
	{ -ERR_NO_NAME,
		"the name {host} does not exist. Check how it is spelt, or ask whoever runs the DNS of this network.",
		NULL },
	{ -ERR_NO_RESOLVER,
		"the name {host} could not be looked up: no name server answers. Check this device's connection and /etc/resolv.conf.",
		NULL },
	{ -ECONNREFUSED,
		"nothing listens at {host} port {port} (connection refused). Check that the hub runs, and that this is its port.",
		"nothing listens at {host} port {port} (connection refused). Check that the relay runs, and that this is its port." },
	{ -ENETUNREACH,
		"this device has no route to {host} (network is unreachable). Check its network connection.",
		NULL },
	{ -EADDRNOTAVAIL,
		"this device has no address to reach {host} from. Check its network connection.",
		NULL },
	{ -EAFNOSUPPORT,
		"this system lacks the address family of {host} (IPv6 is off?). Use a name or address of the other family.",
		NULL },
	{ -EHOSTUNREACH,
		"the machine of {host} cannot be reached (no route to host). Check that it is on and that the address is right.",
		NULL },
	{ -EACCES,
		"a firewall on this device forbids connections to {host} port {port}. Allow them.",
		NULL },
	{ -EPERM,
		"a firewall on this device forbids connections to {host} port {port}. Allow them.",
		NULL },
	{ -ETIMEDOUT,
		"nothing answers at {host} port {port}: the machine is off, the address is wrong, or a firewall drops the packets. "
		"Check these three.",
		NULL },
	{ -ECONNRESET,
		"the connection to {host} port {port} was cut (connection reset). A firewall or proxy on the way may do that, or another "
		"service has this port.",
		NULL },
	{ -EPIPE, "the connection to {host} port {port} was cut. It is tried again.", NULL },
	{ -EMFILE,
		"this device has no file descriptors left. Raise the limit of the service (LimitNOFILE=).",
		NULL },
	{ -ENFILE,
		"this device has no file descriptors left. Raise the limit of the system (fs.file-max).",
		NULL },
	{ -ENOMEM, "this device has no memory left.", NULL },
	{ -EAGAIN, "too many names are being looked up at once. It is tried again.", NULL },
	{ -ERR_SILENT,
		"{host} port {port} takes the connection, but does not answer. A proxy without the hub behind it, or another service, may do "
		"that.",
		"{host} port {port} takes the connection, but does not answer. A proxy without the relay behind it, or another service, may "
		"do that." },
	{ -ERR_TLS, "TLS with {host} port {port} failed. The log of the other side may tell more.",
		NULL },
	{ -ERR_TLS_ALERT,
		"{host} refuses TLS with this device: it has no certificate for this name, or wants one of ours. Check the name, and the "
		"settings for TLS over there.",
		NULL },
	{ -ERR_TLS_VERSION,
		"{host} has no version of TLS that is still safe. It has to offer TLS 1.2 or 1.3.",
		NULL },
	{ -ERR_TLS_CUT,
		"{host} port {port} ends the connection as soon as TLS begins. Check that the port is one for HTTPS; a firewall that "
		"looks into TLS may do that, too.",
		NULL },
	{ -ERR_NOT_TLS,
		"{host} port {port} does not speak TLS. If the hub is meant to be without, begin its address with http://; otherwise give "
		"the port of HTTPS.",
		"{host} port {port} does not speak TLS. Check the relay's port in the relay map." },
	{ -ERR_WANTS_TLS,
		"{host} port {port} speaks TLS. Begin the address of the hub with https://.",
		"{host} port {port} speaks TLS. Check the relay's entry in the relay map." },
	{ -ERR_CERT_EXPIRED,
		"its certificate has expired by the clock of this device, which says {clock}. If that is wrong, set the clock; otherwise "
		"the certificate has to be renewed.",
		NULL },
	{ -ERR_CERT_NOT_YET,
		"its certificate is not valid yet by the clock of this device, which says {clock}. Set the clock of this device (timedatectl).",
		NULL },
	{ -ERR_CERT_ISSUER,
		"its certificate is signed by an authority that this device does not know. Install that authority's certificate "
		"(update-ca-certificates) or the package ca-certificates; a server that does not send its intermediate certificate looks "
		"the same.",
		NULL },
	{ -ERR_CERT_SELF_SIGNED,
		"its certificate is signed by itself, and this device does not know it. Give the hub one of a known authority, or install "
		"it here (update-ca-certificates).",
		"its certificate is signed by itself, and this device does not know it. Give the relay one of a known authority, or name "
		"the certificate's hash in the relay map." },
	{ -ERR_CERT_NAME,
		"its certificate is for another name than {host}. Use the name that the certificate is for, or have one made for {host}.",
		"its certificate is for another name than {host}. Have one made for {host}." },
	{ -ERR_CERT_PIN,
		"its certificate is not the one that the hub told of. If it was renewed, the hub has to be told; otherwise somebody is in "
		"between.",
		NULL },
	{ -ERR_CERT_REVOKED, "its certificate was revoked. It needs another one.", NULL },
	{ -ERR_CERT_WEAK,
		"its certificate has a key or a signature that is too weak. It needs another one.",
		NULL },
	{ -ERR_CERT_BAD,
		"its certificate is not acceptable. \"openssl s_client -connect {host}:{port}\" tells why.",
		NULL },
	{ -ERR_NOT_HTTP,
		"{host} port {port} does not speak HTTP: another service has this port. Check the port.",
		NULL },
	{ -ERR_NOT_HUB,
		"a web server answers at {host} port {port}, but it is not a hub. Check address and port.",
		NULL },
	{ -ERR_OTHER_HUB,
		"there is a hub at {host} port {port}, but another one than this device is logged in at. \"warren up --force-reauth "
		"--login-server=...\" leaves that one and joins this one.",
		NULL },
	{ -ERR_OTHER_KEY,
		"the hub at {host} port {port} shows another key than before, and over plain HTTP nothing says that it is still the same one. A "
		"hub that was moved or restored from its backup has its old key: then somebody stands between. If it was set up anew, "
		"\"warren up --force-reauth\" logs in there.",
		NULL },
	{ -ERR_BAD_TAG,
		"the answer does not fit the key of the hub. The hub has another key by now, or two hubs answer at {host}: the key is asked "
		"for again.",
		"the answer does not fit the key of the relay. It is tried again." },
	{ -ERR_CLOSED, "{host} port {port} ended the connection. It is tried again.", NULL },
};

/* ---- HTTP ---- */

static const char *denied =
	"{host} wants a login before it lets this device through (HTTP status {status}). Whatever is in front of "
	"the hub has to let /key, /ts2021 and /derp pass without one.";
static const char *no_upgrade =
	"a proxy in front of the hub does not pass on the upgrade of /ts2021 (HTTP status {status}). It has to pass "
	"on the headers Upgrade and Connection, and the method POST.";
static const char *no_relay =
	"there is no relay at {host} port {port}, or a proxy in front of it does not pass on the upgrade of /derp "
	"(HTTP status {status}). It has to pass on the headers Upgrade and Connection.";

/* What a status means wherever it comes; NULL: nothing. */
static const char *any_status(int status)
{
	switch (status) {
	case 401:
	case 403:
	case 407:
	case 511:
		return denied;
	case 408:
	case 429:
		return "{host} asks to be left alone for a while (HTTP status {status}). It is tried again.";
	case 421:
		return "{host} does not serve this name (HTTP status {status}). Check the name in the address.";
	case 502:
	case 503:
	case 504:
		return "a server answers at {host} port {port}, but says that what is behind it is not there (HTTP status {status}). Check "
		       "that the hub runs and where the proxy sends its requests.";
	default:
		return NULL;
	}
}

static const char *of_status(const struct reason *r, int status)
{
	const char *text = any_status(status);

	if (text)
		return text;
	if (status >= 300 && status < 400)
		return r->location
			       ? "{host} sends on to {location}. If that is the hub, use that address; if it is a page of this network, log in there first."
			       : "{host} sends on to another address (HTTP status {status}). Open it in a browser to see which, and use that.";
	if (status >= 500 && status != 501)
		return "{host} answers that it failed (HTTP status {status}). Its log tells why.";
	switch (r->step) {
	case REASON_HUB_SESSION:
		return no_upgrade;
	case REASON_RELAY:
		return no_relay;
	case REASON_HUB_KEY:
		if (status == 400 && !r->tls)
			return "{host} port {port} refuses plain HTTP (HTTP status {status}). If it is a port for HTTPS, begin the address with "
			       "https://.";
		return "a web server answers at {host} port {port}, but it is not a hub (HTTP status {status}). Check address and port.";
	case REASON_HUB_REGISTER:
		return "the hub refuses to register this device (HTTP status {status}). Its log tells why.";
	case REASON_HUB_MAP:
		return "the hub refuses to send its map (HTTP status {status}). Its log tells why.";
	}
	return NULL;
}

/* ---- The sentence ---- */

/* Text that others wrote goes to terminals: printable ASCII only, and not too much of it. */
static bool is_harmless(const char *s)
{
	size_t n = 0;

	for (; s[n]; n++)
		if (s[n] <= ' ' || s[n] > '~' || n >= REASON_DETAIL_MAX)
			return false;
	return n > 0;
}

static const char *template_of(const struct reason *r)
{
	int status = err_http_status(r->rc);

	if (status)
		return of_status(r, status);
	if (r->rc == -ERR_CLOSED && r->step == REASON_HUB_KEY && !r->tls)
		return "{host} port {port} ended the connection without an answer. If it is a port for HTTPS, begin the address with https://.";
	for (size_t i = 0; i < ARRAY_LEN(entries); i++)
		if (entries[i].rc == r->rc)
			return r->step == REASON_RELAY && entries[i].relay ? entries[i].relay
									   : entries[i].hub;
	return NULL;
}

static size_t put(char *out, size_t at, const char *s, size_t n)
{
	n = MIN_OF(n, REASON_MAX - 1 - at);
	memcpy(out + at, s, n);
	return at + n;
}

/* The value of the mark at s, and its length. */
static const char *mark(
	const struct reason *r, const char *s, size_t len, char scratch[static TIME_RFC3339_MAX])
{
	if (len == 6 && !memcmp(s, "{host}", 6))
		return r->host;
	if (len == 10 && !memcmp(s, "{location}", 10))
		return r->location;
	if (len == 7 && !memcmp(s, "{clock}", 7)) {
		time_format_rfc3339(r->wall, scratch);
		scratch[strcspn(scratch, ".Z")] = 0;
		if (strchr(scratch, 'T'))
			*strchr(scratch, 'T') = ' ';
	} else if (len == 6 && !memcmp(s, "{port}", 6)) {
		snprintf(scratch, TIME_RFC3339_MAX, "%u", r->port);
	} else {
		snprintf(scratch, TIME_RFC3339_MAX, "%d", err_http_status(r->rc));
	}
	return scratch;
}

char *reason_format(const struct reason *r, char out[static REASON_MAX])
{
	struct reason safe = *r;
	char scratch[TIME_RFC3339_MAX];
	const char *s;
	size_t at = 0;

	if (safe.location && !is_harmless(safe.location))
		safe.location = NULL;
	s = template_of(&safe);
	if (!s) {
		snprintf(out, REASON_MAX, "%s (%s port %u).", err_text(r->rc), r->host, r->port);
		return out;
	}
	while (*s) {
		size_t n = *s == '{' ? strcspn(s, "}") + 1 : strcspn(s, "{");
		const char *v = *s == '{' ? mark(&safe, s, n, scratch) : s;

		at = put(out, at, v, v == s ? n : strlen(v));
		s += n;
	}
	out[at] = 0;
	return out;
}
