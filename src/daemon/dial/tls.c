/* Contexts of TLS: one each for verified and unverified peers, and one for every certificate that a relay is pinned to. */
#include "daemon/dial/internal.h"
#include "os/log/log.h"

#include <string.h>

static bool tls_in_use(const struct dialer *d, const struct tls_ctx *tls)
{
	list_for_each(l, &d->dials)
		if (container_of(l, struct dial, link)->tls == tls)
			return true;
	return false;
}

/* Certificates are renewed, and each has its pin: the oldest one that nobody uses makes room. */
static bool pin_make_room(struct dialer *d)
{
	for (size_t i = 0; d->n_pins == DIAL_PINS_MAX && i < d->n_pins; i++) {
		if (tls_in_use(d, d->pins[i].tls))
			continue;
		tls_free(d->pins[i].tls);
		memmove(&d->pins[i], &d->pins[i + 1], (d->n_pins - 1 - i) * sizeof(d->pins[0]));
		d->n_pins--;
	}
	return d->n_pins < DIAL_PINS_MAX;
}

static struct tls_ctx *tls_pinned(struct dialer *d, const uint8_t pin[static 32])
{
	for (size_t i = 0; i < d->n_pins; i++)
		if (!memcmp(d->pins[i].pin, pin, 32))
			return d->pins[i].tls;
	if (!pin_make_room(d) || tls_client_new(&d->pins[d->n_pins].tls, pin) < 0)
		return NULL;
	memcpy(d->pins[d->n_pins].pin, pin, 32);
	return d->pins[d->n_pins++].tls;
}

/* Made when first needed: the system's root certificates alone take more memory than the rest of us. */
bool dialer_tls_for(struct dialer *d, const struct node_dial *to, struct tls_ctx **ret)
{
	*ret = NULL;
	switch (to->tls) {
	case NODE_TLS_NONE:
		return true;
	case NODE_TLS_VERIFIED:
		if (!d->tls_verified && tls_client_new(&d->tls_verified, NULL) < 0)
			return false;
		*ret = d->tls_verified;
		return true;
	case NODE_TLS_ANY_CERT:
		if (!d->tls_any && tls_client_any(&d->tls_any) < 0)
			return false;
		*ret = d->tls_any;
		return true;
	case NODE_TLS_PINNED:
		*ret = tls_pinned(d, to->pin);
		return *ret != NULL;
	}
	return false;
}

void dialer_reload_roots(struct dialer *d)
{
	int rc = d->tls_verified ? tls_client_reload(d->tls_verified) : 0;

	if (rc < 0)
		log_error("node", "the root certificates cannot be read anew; those of before stay",
			"err=%s", err_text(rc));
}

void dialer_tls_free(struct dialer *d)
{
	tls_free(d->tls_verified);
	tls_free(d->tls_any);
	for (size_t i = 0; i < d->n_pins; i++)
		tls_free(d->pins[i].tls);
}
