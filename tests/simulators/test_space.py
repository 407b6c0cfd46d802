"""Standard nodes are shared until somebody asks for one, and never changed for another server."""

from __future__ import annotations

from asyncua import ua
from asyncua.server.address_space import NodeData

from simulators.space import standard_nodes


async def test_a_server_changes_its_own_standard_nodes_only() -> None:
    one, other = await standard_nodes(), await standard_nodes()
    objects, mine = ua.NodeId(ua.ObjectIds.ObjectsFolder), ua.NodeId("mine", 2)
    before = len(one)
    assert before == len(list(one)) == len(other) > 5000
    references = len(one[objects].references)
    one[objects].references.clear()
    one[objects].attributes[ua.AttributeIds.DisplayName].value = None
    one[mine] = NodeData(mine)
    assert (mine in one, mine in other, objects in other, ua.NodeId("none", 2) in one) == (True, False, True, False)
    assert len(other[objects].references) == references > 0
    assert other[objects].attributes[ua.AttributeIds.DisplayName].value is not None
    assert (len(one), len(list(one))) == (before + 1, before + 1)
    del one[mine]
    assert one.get(mine) is None
    assert one[objects].references == []
