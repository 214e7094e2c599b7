"""A headscale as it was: its files, put down from tests/fixtures/headscale."""
import base64, json, os, shutil, sqlite3

FIXTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures", "headscale")


def keys():
    with open(os.path.join(FIXTURE, "keys_in_clear.json")) as f:
        return json.load(f)


def put_down(directory, change=None, edit=""):
    """The path of its config.yaml. change: of the configuration's text; edit: SQL for the database."""
    state = os.path.join(directory, "STATE")
    os.makedirs(state)
    with sqlite3.connect(os.path.join(state, "db.sqlite")) as db, open(os.path.join(FIXTURE, "db.sql")) as f:
        db.executescript(f.read())
        # One of the two was made for a day, and would be none any more.
        db.execute("UPDATE api_keys SET expiration = '2036-11-27 13:28:19.620977901+00:00'")
    if edit:
        with sqlite3.connect(os.path.join(state, "db.sqlite")) as db:
            db.executescript(edit)
    shutil.copy(os.path.join(FIXTURE, "noise_private.key"), os.path.join(state, "noise.key"))
    shutil.copy(os.path.join(FIXTURE, "derp_private.key"), os.path.join(state, "derp.key"))
    with open(os.path.join(FIXTURE, "config.yaml")) as f:
        text = f.read()
    path = os.path.join(directory, "config.yaml")
    with open(path, "w") as f:
        f.write(change(text) if change else text)
    return path


def client_state(name, to, url):
    """The state of one of its clients, an official 1.102.5, whose hub is at this URL now."""
    with open(os.path.join(FIXTURE, "clients", name + ".state")) as f:
        state = json.load(f)
    for k, v in state.items():
        text = base64.b64decode(v).replace(b"https://hub.test", url.encode())
        state[k] = base64.b64encode(text).decode()
    with open(to, "w") as f:
        json.dump(state, f)
