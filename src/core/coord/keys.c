/* Auth keys are made. */
#include "core/coord/internal.h"
#include "base/text/text.h"

#include <errno.h>

enum { KEY_SECRET_LEN = 24 };

static const char key_prefix_text[] = "wkey-auth-";

int coord_key_create(struct tailnet *c, const struct coord_key_spec *spec, struct now now,
	char text[static COORD_SECRET_TEXT_MAX], const struct coord_key **ret)
{
	uint8_t secret[KEY_SECRET_LEN];
	char hex[2 * KEY_SECRET_LEN + 1], hash[65], hint[24];
	struct coord_key doc = { .user = spec->user,
		.reusable = spec->reusable,
		.ephemeral = spec->ephemeral,
		.preapproved = spec->preapproved,
		.created = now.wall,
		.expires = spec->expires };
	struct authkey *k;
	int rc;

	doc.tags = json_list_of((void *)(uintptr_t)spec->tags, spec->n_tags);
	if (spec->user && !user_by_id(c, spec->user))
		return -ENOENT;
	if (tc_check_tags(&doc.tags, NULL) < 0)
		return -ERR_BAD_VALUE;
	if (!tags_are_known(c, &doc.tags))
		return -ERR_DENIED;
	rng_fill(c->cfg.rng, secret, sizeof(secret));
	hex_encode(secret, sizeof(secret), hex);
	snprintf(text, COORD_SECRET_TEXT_MAX, "%s%s", key_prefix_text, hex);
	snprintf(hint, sizeof(hint), "%.*s...", (int)sizeof(key_prefix_text) + 3, text);
	authkey_hash(c, text, hash);
	doc.id = ++c->meta.next_id;
	doc.hash = hash;
	doc.hint = hint;
	rc = authkey_insert(c, &doc, &k);
	if (rc < 0)
		return rc;
	*ret = &k->doc;
	return store_doc(c, COORD_KEY, doc.id, &coord_key_type, &k->doc);
}
