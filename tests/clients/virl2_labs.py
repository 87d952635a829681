"""Labs made and started by Cisco's own client, and printed as JSON as it sees them: what our API shows of them
must be the same. With CML_LOOK_ONLY set, nothing is made. Against the controller at CML_URL, as virl2_life.py.
"""

import json
import logging
import os
import warnings

from virl2_client import ClientLibrary

from virl2_life import TOPOLOGY, hasten


def seen(client):
    """The labs with their nodes and links, by id."""
    labs = {}
    for lab in client.all_labs(show_all=True):
        lab.sync(topology_only=False)
        lab.sync_states()
        labs[lab.id] = {
            "title": lab.title,
            "state": lab.state(),
            "owner": lab.owner,
            "nodes": {node.id: [node.label, node.node_definition, node.state] for node in lab.nodes()},
            "links": {link.id: link.state for link in lab.links()},
        }
    return labs


def main():
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    client = ClientLibrary(
        os.environ["CML_URL"], os.environ["CML_USERNAME"], os.environ["CML_PASSWORD"],
        ssl_verify=False, raise_for_auth_failure=True,
    )
    if not os.environ.get("CML_LOOK_ONLY"):
        hasten(client.create_lab("By hand")).create_node("r1", "iosv", 0, 0)
        hasten(client.import_lab(TOPOLOGY)).start(wait=True)
    print(json.dumps(seen(client)))
    client.logout()


if __name__ == "__main__":
    main()
