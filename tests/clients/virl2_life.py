"""A whole life of labs and a licence, driven by Cisco's own client, which is the judge of what a controller
answers. Against the controller at CML_URL (CML_USERNAME, CML_PASSWORD, CML_VERSION, CML_LICENCE_TOKEN in the
environment), whose time runs fast. Exits with 0 when all was as it should be.
"""

import logging
import os
import sys
import time
import warnings

import httpx
from virl2_client import ClientLibrary

# How long anything may take, in seconds, and how often it is asked for.
PATIENCE = 60
EVERY = 0.05

TOPOLOGY = """\
lab:
  title: Imported
  description: of two routers
  notes: kept
  version: 0.3.0
nodes:
  - id: n0
    label: r1
    node_definition: iosv
    x: 0
    y: 0
    configuration: hostname r1
    interfaces: [{id: i0, label: GigabitEthernet0/0, slot: 0, type: physical}]
  - id: n1
    label: r2
    node_definition: alpine
    x: 100
    y: 0
    configuration: hostname r2
    interfaces: [{id: i0, label: eth0, slot: 0, type: physical}]
links:
  - {id: l0, n1: n0, i1: i0, n2: n1, i2: i0}
"""


def check(holds, what):
    """Unlike `assert` it also works with -O."""
    if not holds:
        raise SystemExit(f"not so: {what}")


def equal(seen, expected, what):
    check(seen == expected, f"{what} is {expected!r}; it is {seen!r}")


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        check(time.monotonic() < deadline, f"{what} within {PATIENCE} s")
        time.sleep(EVERY)


def refused(status, words, call, *args):
    """The call is refused with this status and these words."""
    try:
        call(*args)
    except httpx.HTTPStatusError as error:
        equal(error.response.status_code, status, f"the status of {error.request.method} {error.request.url.path}")
        check(words in error.response.text, f"{words!r} is in {error.response.text!r}")
    else:
        raise SystemExit(f"not refused: {call}")


def hasten(lab):
    """Asks often, and anew each time."""
    lab.auto_sync_interval = 0
    lab.wait_time, lab.wait_max_iterations = EVERY, int(PATIENCE / EVERY)
    return lab


def build(client):
    """A lab made by hand: nodes, interfaces, a link."""
    lab = hasten(client.create_lab("By hand"))
    routers = [lab.create_node(f"r{number}", "iosv", number * 100, 0) for number in (1, 2)]
    switch = lab.create_node("sw", "unmanaged_switch", 50, 100, populate_interfaces=True)
    routers[0].configuration = "hostname by-hand"
    link = lab.connect_two_nodes(*routers)
    other = lab.create_link(routers[0].create_interface(), switch.interfaces()[0])
    equal(link.interface_a.label, "GigabitEthernet0/0", "the first interface")
    lab.title, lab.notes = "By hand, renamed", "notes"
    lab.sync(topology_only=False)
    equal((lab.title, lab.notes), ("By hand, renamed", "notes"), "what the lab says of itself")
    equal(lab.statistics["nodes"], 3, "the number of nodes")
    equal(len(lab.links()), 2, "the number of links")
    equal(routers[0].configuration, "hostname by-hand", "the configuration")
    lab.remove_link(other)
    lab.remove_node(switch)
    equal((len(lab.nodes()), len(lab.links())), (2, 1), "the nodes and links that are left")
    refused(400, "Node Definition not found: toaster", lab.create_node, "t", "toaster")
    return lab


def stage(lab):
    """What came with 2.10."""
    lab.set_autostart(enabled=True, priority=3, delay=90)
    lab.set_node_staging(enabled=True, start_remaining=False, abort_on_failure=True)
    lab.sync()
    equal(lab.autostart, {"enabled": True, "priority": 3, "delay": 90}, "the autostart")
    staging = {"enabled": True, "start_remaining": False, "abort_on_failure": True}
    equal(lab.node_staging, staging, "the staging of nodes")
    lab.set_autostart(enabled=False)


def run(lab):
    """Start, states, statistics, one node by itself, stop."""
    router, host = lab.get_node_by_label("r1"), lab.get_node_by_label("r2")
    lab.start(wait=True)
    equal(lab.state(), "STARTED", "the state of the lab")
    lab.sync(topology_only=False)
    lab.sync_states()
    equal([node.state for node in (router, host)], ["BOOTED", "BOOTED"], "the states of the nodes")
    equal(lab.links()[0].state, "STARTED", "the state of the link")
    until(lambda: carried(lab) > 0, "the link carries traffic")
    check(router.cpu_usage > 0, "the router uses its CPU")
    lab.sync_operational()
    check(router.compute_id is not None, "the router is on a compute host")
    check("r1 login:" in router.console_logs(0), "the console shows the end of the boot")
    equal(len(router.console_logs(0, lines=2).splitlines()), 2, "the lines of the log")
    events = lab._session.get(f"labs/{lab.id}/events").json()
    check(any(event["event"] == "STATE_CHANGED" for event in events), "the lab's events tell of states")

    refused(400, "not stopped", lab._session.put, f"labs/{lab.id}/wipe")
    refused(400, "stopped and wiped", lab._session.delete, f"labs/{lab.id}")
    host.stop(wait=True)
    equal(host.state, "STOPPED", "the state of the stopped node")
    refused(400, "not booted", host.extract_configuration)
    host.wipe(wait=True)
    equal(host.state, "DEFINED_ON_CORE", "the state of the wiped node")
    host.start(wait=True)
    equal(host.state, "BOOTED", "the state of the node started again")


def carried(lab):
    """How many bytes the link has carried so far, after asking again."""
    lab.sync_statistics()
    return lab.links()[0].readbytes


def keep(client, lab):
    """The running configuration is another one than the stored; what was downloaded imports as the same."""
    before = lab.download()
    lab.get_node_by_label("r1").extract_configuration()
    after = lab.download()
    check("Last configuration change" not in before, "the stored configuration is the one of day 0")
    check("Last configuration change" in after, "the extracted configuration is a running one")
    copy = hasten(client.import_lab(after, "A copy"))
    equal(copy.title, "A copy", "the title of the copy")
    equal(copy.download().replace("A copy", lab.title), after, "the copy's topology")
    copy.remove()


def end(lab):
    lab.stop(wait=True)
    equal(lab.state(), "STOPPED", "the state of the stopped lab")
    lab.wipe(wait=True)
    equal(lab.state(), "DEFINED_ON_CORE", "the state of the wiped lab")
    lab.remove()


def system(client):
    """What there is beside labs."""
    health, stats = client.get_system_health(), client.get_system_stats()
    check(health["valid"] and health["is_licensed"], "the system is in order")
    equal(len(stats["computes"]), 1, "the number of compute hosts")
    kinds = {kind["id"] for kind in client.definitions.node_definitions()}
    check({"alpine", "iosv", "cat8000v", "external_connector"} <= kinds, "the usual kinds of node are there")
    check(client.definitions.image_definitions_for_node_definition("iosv"), "iosv has an image")
    equal(client.system_management.controller.admission_state, "READY", "the admission state")
    client.system_management.sync_system_notices()
    equal(client.system_management.maintenance_mode, False, "the maintenance mode")
    names = {user["username"] for user in client.user_management.users() if user["admin"]}
    check(os.environ["CML_USERNAME"] in names, "the user is an administrator")
    equal(client.group_management.groups(), [], "the groups")
    categories = {event["category"] for event in client.system_management.get_telemetry_events()}
    done = {"user_activity", "import_lab", "start_lab", "boot_node", "export_lab", "wipe_node"}
    check(done <= categories, "telemetry tells of all this")


def license(client, token):
    """Given back, refused to a false token, registered, sized, renewed."""
    licensing = client.licensing
    licensing.wait_interval, licensing.max_wait = EVERY, int(PATIENCE / EVERY)
    equal(licensing.deregister(), 204, "the answer to a deregistration")
    refused(400, "Licensing issue: The product has already been de-registered.", licensing.deregister)
    check(licensing.set_transport("https://ssms.example.com/", "proxy.example.com", 8080), "the transport is accepted")
    check(licensing.set_default_transport(), "the default transport is accepted")
    check(licensing.set_product_license("CML_Enterprise"), "the product is accepted")
    check(licensing.register("an-invalid-token"), "a false token is accepted at first")
    licensing.wait_for_status("registration", "FAILED")
    check("not valid" in licensing.status()["registration"]["register_time"]["failure"], "the failure has a reason")
    check(licensing.register_wait(token), "the token is accepted")
    feature = licensing.status()["features"][1]
    licensing.update_features([{"id": feature["id"], "count": 40}])
    equal(licensing.status()["features"][1]["in_use"], 40, "the expansion nodes")
    check(licensing.register_renew() and licensing.renew_authorization(), "the renewals are accepted")
    product = {"active": "CML_Enterprise", "is_enterprise": True}
    equal(licensing.status()["product_license"], product, "the product")
    equal(licensing.deregister(), 204, "the answer to the last deregistration")


def main():
    # Self-signed, as a controller's certificate is.
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    client = ClientLibrary(
        os.environ["CML_URL"], os.environ["CML_USERNAME"], os.environ["CML_PASSWORD"],
        ssl_verify=False, raise_for_auth_failure=True,
    )
    equal(str(client.system_info()["version"]).split("+")[0], os.environ["CML_VERSION"], "the version")
    check(client.is_system_ready(), "the system is ready")
    by_hand = build(client)
    if os.environ["CML_VERSION"] == "2.10.0":
        stage(by_hand)
    lab = hasten(client.import_lab(TOPOLOGY))
    said = (lab.title, lab.description, lab.notes)
    equal(said, ("Imported", "of two routers", "kept"), "what the file says of the lab")
    refused(400, "Bad request: while parsing a block node", client.import_lab, ",,,")
    run(lab)
    keep(client, lab)
    titles = {each.title for each in client.all_labs(show_all=True)}
    equal(titles, {"By hand, renamed", "Imported"}, "the labs")
    joined = client.join_existing_lab(lab.id)
    equal(joined.download(), lab.download(), "the lab that was joined")
    end(lab)
    by_hand.remove()
    equal(client.get_lab_list(show_all=True), [], "the labs at the end")
    system(client)
    license(client, os.environ["CML_LICENCE_TOKEN"])
    check(client.logout(), "the client is signed out")
    print("all as it should be")


if __name__ == "__main__":
    sys.exit(main())
