/* The webhook: a body that is signed with the secret makes the hub look into its repository. */
#include "base/text/text.h"
#include "crypto/ct/ct.h"
#include "crypto/sha256/sha256.h"
#include "hub/policy_source/internal.h"

static bool signature_of(const struct http1_head *head, uint8_t out[static 32])
{
	static const char algorithm[] = "sha256=";
	struct view v = http1_find(head, "X-Hub-Signature-256");
	size_t n = sizeof(algorithm) - 1;

	if (v.len > n && !memcmp(v.p, algorithm, n))
		v = view_of(v.p + n, v.len - n);
	else
		v = http1_find(head, "X-Gitea-Signature");
	return v.len == 64 && hex_decode((const char *)v.p, v.len, out) == 0;
}

bool git_webhook_wants(const struct hub *h, const struct http1_head *head)
{
	uint8_t given[32];

	return h->git && buf_len(&h->git->secret) && signature_of(head, given);
}

enum git_webhook git_webhook(struct hub *h, const struct http1_head *head, struct view body)
{
	struct git *g = h->git;
	uint8_t given[SHA256_LEN], want[SHA256_LEN];
	bool good;

	if (!g || !buf_len(&g->secret))
		return GIT_WEBHOOK_OFF;
	good = signature_of(head, given);
	if (good) {
		sha256_hmac(buf_view(&g->secret), body, want);
		good = ct_equal(given, want, sizeof(given));
	}
	if (!good) {
		g->n.bad_signatures++;
		return GIT_WEBHOOK_BAD_SIGNATURE;
	}
	g->n.webhooks++;
	git_pull(h);
	return GIT_WEBHOOK_TAKEN;
}
