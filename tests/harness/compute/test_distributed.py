import torch.distributed as dist

from harness.compute.distributed import leave, world


def test_a_process_leaves_its_group_and_may_say_so_twice(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    assert dist.is_initialized()
    leave()
    leave()
    assert not dist.is_initialized()
    assert world() == (0, 1)
