#include "relay/metrics.h"
#include "base/metric/metric.h"

static const char gauge[] = "gauge", counter[] = "counter";

static int put_relay(const struct relay *r, struct buf *out)
{
	const struct derprelay_counters *d = derprelay_counters(relay_derp(r));
	const struct relay_counters *s = relay_counters(r);
	const struct metric rows[] = {
		{ "relay_clients", gauge, "Clients logged in.", derprelay_clients(relay_derp(r)) },
		{ "relay_accepted_total", counter, "Connections upgraded to DERP.", d->accepted },
		{ "relay_fast_starts_total", counter,
			"Of these, those that knew the relay's key from its certificate.",
			s->fast_starts },
		{ "relay_bad_logins_total", counter, "Logins that failed.", d->bad_logins },
		{ "relay_refused_total", counter,
			"Of these, and of clients that were there, those whose key may not log in.",
			d->refused },
		{ "relay_closed_same_key_total", counter,
			"Connections closed because their key had too many.", d->closed_same_key },
		{ "relay_queued_bytes", gauge, "Packets that wait for their receivers.",
			derprelay_queued(relay_derp(r)) },
		{ "relay_drop_memory_total", counter,
			"Packets dropped because too much of their sender, or of all, waited.",
			d->drop_memory },
		{ "relay_notes", gauge, "Who is to be told when a client goes.", d->notes },
		{ "relay_notes_full_total", counter,
			"Packets whose receiver will not be told, as there were too many notes.",
			d->notes_full },
		{ "relay_bad_frames_total", counter, "Frames that ended a connection.",
			d->bad_frames },
		{ "relay_packets_in_total", counter, "Packets received.", d->packets_in },
		{ "relay_packets_out_total", counter, "Packets forwarded.", d->packets_out },
		{ "relay_bytes_in_total", counter, "Bytes of packets received.", d->bytes_in },
		{ "relay_bytes_out_total", counter, "Bytes of packets forwarded.", d->bytes_out },
		{ "relay_drop_unknown_dest_total", counter,
			"Packets for clients that are not here.", d->drop_unknown_dest },
		{ "relay_drop_queue_total", counter, "Packets dropped from full queues.",
			d->drop_queue_head },
		{ "relay_drop_rate_total", counter,
			"Packets dropped because their sender was too fast.", d->drop_rate },
		{ "relay_closed_slow_total", counter, "Clients closed because they did not read.",
			d->closed_slow },
		{ "stun_requests_total", counter, "STUN datagrams received.", s->stun_requests },
		{ "stun_answers_total", counter, "STUN answers sent.", s->stun_answers },
		{ "stun_bad_total", counter, "STUN datagrams that were no request.", s->stun_bad },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

int relay_metrics(const struct relay *r, struct buf *out)
{
	const struct relay_admission *a = relay_admission(r);
	int rc = put_relay(r, out);

	return rc < 0 || !a->metrics ? rc : a->metrics(a->ctx, out);
}
