/* Our addresses as STUN servers saw them lately: at most so many of one IP address and in all; the oldest go. */
#include "core/endpoints/internal.h"

#include <string.h>

static const mono_ns keep_seen = SEC(310); /* told for so long after it was seen */

static void drop(struct endpoints_seen *s, size_t i)
{
	s->n--;
	memmove(&s->v[i], &s->v[i + 1], (s->n - i) * sizeof(s->v[0]));
}

/* Room for one more of this address. */
static void make_room(struct endpoints_seen *s, struct ipaddr a)
{
	size_t same = 0;

	for (size_t i = 0; i < s->n; i++)
		same += ipaddr_eq(s->v[i].e.addr.ip, a);
	for (size_t i = 0; i < s->n; i++) {
		bool is_full = s->n == ENDPOINTS_SEEN_MAX;

		if (is_full || (same >= ENDPOINTS_SEEN_PER_IP && ipaddr_eq(s->v[i].e.addr.ip, a))) {
			drop(s, i);
			return;
		}
	}
}

static void add(struct endpoints_seen *s, struct ipport a, enum endpoint_type type, mono_ns now)
{
	if (!ipaddr_is_set(a.ip))
		return;
	for (size_t i = 0; i < s->n; i++)
		if (ipport_eq(s->v[i].e.addr, a)) {
			type = s->v[i].e.type; /* as it was first seen */
			drop(s, i);
			break;
		}
	make_room(s, a.ip);
	s->v[s->n].e = (struct endpoint){ a, type };
	s->v[s->n++].until = mono_add(now, keep_seen);
}

void endpoints_seen_add(
	struct endpoints_seen *s, const struct netcheck_report *r, uint16_t port4, mono_ns now)
{
	/* A router with a fixed forwarding gives it to us, whatever it does with packets that go out. */
	if (r->mapping_varies == JSON_YES && ipaddr_is_set(r->global4.ip))
		add(s, (struct ipport){ r->global4.ip, port4 }, ENDPOINT_STUN_LOCAL_PORT, now);
	add(s, r->global6, ENDPOINT_STUN, now);
	for (size_t i = r->n_also4; i-- > 0;)
		add(s, r->also4[i], ENDPOINT_STUN, now);
	add(s, r->global4, ENDPOINT_STUN, now);
}

void endpoints_seen_expire(struct endpoints_seen *s, mono_ns now)
{
	for (size_t i = s->n; i-- > 0;)
		if (now > s->v[i].until)
			drop(s, i);
}
