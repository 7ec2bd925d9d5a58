# SPDX-FileCopyrightText: 2026 The caption_node authors
# SPDX-License-Identifier: Apache-2.0
"""
Subscribes with Cyclone DDS, an implementation that shares no code with the node's Fast DDS.

    python -m tests.ros.cyclone_listener TOPIC SECONDS

Prints the first text on a std_msgs/String topic and ends with 0, or with 1 when none came in time.
"""

from dataclasses import dataclass
import os
import sys

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

LOOPBACK = """<CycloneDDS><Domain><General><Interfaces>
<NetworkInterface name="lo" multicast="false"/></Interfaces><AllowMulticast>false</AllowMulticast>
</General><Discovery><ParticipantIndex>auto</ParticipantIndex>
<MaxAutoParticipantIndex>60</MaxAutoParticipantIndex>
<Peers><Peer address="127.0.0.1"/></Peers></Discovery></Domain></CycloneDDS>"""


@dataclass
class String(IdlStruct, typename='std_msgs::msg::dds_::String_'):
    """``std_msgs/String`` as ROS 2 names it in DDS."""

    data: str


def main() -> int:
    """Wait for one text."""
    topic_name, timeout_s = sys.argv[1], float(sys.argv[2])
    domain_id = int(os.environ['ROS_DOMAIN_ID'])
    domain = Domain(domain_id, LOOPBACK)
    participant = DomainParticipant(domain_id)
    topic = Topic(participant, f'rt{topic_name}', String)
    qos = Qos(Policy.Reliability.Reliable(duration(seconds=1)), Policy.History.KeepLast(10))
    reader = DataReader(participant, topic, qos=qos)
    for sample in reader.take_iter(timeout=duration(seconds=timeout_s)):
        print(sample.data)
        return 0
    del domain
    return 1


if __name__ == '__main__':
    sys.exit(main())
