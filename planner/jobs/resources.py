"""Rules about TransformResources: how many instances, in which network, with which key and image (R11)."""

from collections.abc import Iterator
from typing import Final

from planner.jobs.finding import Fields, Finding, RequestContext, error, warning
from planner.planning.space import MAX_INSTANCE_COUNT

LOCAL_STORAGE_FAMILIES: Final = frozenset({"g4dn", "g5", "g6", "g6e", "trn1"})
"""Families of transform instances with local NVMe disks. Source: EC2 user guide, "Instance store volumes"."""


def private_network(fields: Fields, context: RequestContext) -> Iterator[Finding]:
    """R11: a Model in a VPC needs two free addresses per instance and, for several instances, open ports among them."""
    guide = "AWS developer guide, batch-vpc"
    count = fields.count("TransformResources.InstanceCount")
    if count is None:
        return
    free = context.free_private_ips
    if free is not None and free < 2 * count:
        message = (
            f"{count} instances need {2 * count} free private addresses, the Model's subnets have {free}. "
            f"Lower it to {free // 2} or use larger subnets"
        )
        yield error("R11", "TransformResources.InstanceCount", message, guide)
    if count > 1 and context.opens_all_ports_within_group is False:
        message = f"{count} instances must reach each other on all ports, which the security group forbids. Open it"
        yield error("R11", "TransformResources.InstanceCount", message, guide)


def instance_count(fields: Fields, context: RequestContext) -> Iterator[Finding]:
    """At most 100 instances; and an object is never shared between instances, so more than objects are idle."""
    count = fields.count("TransformResources.InstanceCount")
    path = "TransformResources.InstanceCount"
    if count is not None and count > MAX_INSTANCE_COUNT:
        message = f"{count} is above the maximum of {MAX_INSTANCE_COUNT} instances. Lower it"
        yield error("instance-count", path, message, "TransformResources API reference")
    elif count is not None and context.objects is not None and count > context.objects:
        message = (
            f"{count} instances for {context.objects} objects: {count - context.objects} would be idle and billed, "
            "since an object is never shared. Lower it or split the objects"
        )
        yield warning("instance-count", path, message, "AWS developer guide, batch-transform")


def volume_key(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """VolumeKmsKeyId cannot be asked for on instances with local disks: those encrypt in hardware."""
    name = fields.text("TransformResources.InstanceType") or ""
    family = name.removeprefix("ml.").partition(".")[0]
    if fields.text("TransformResources.VolumeKmsKeyId") and family in LOCAL_STORAGE_FAMILIES:
        message = f"{name} has local storage, which is encrypted in hardware and takes no key. Leave it out"
        yield error("volume-key", "TransformResources.VolumeKmsKeyId", message, "TransformResources API reference")


def image_version(fields: Fields, _context: RequestContext) -> Iterator[Finding]:
    """TransformAmiVersion: the documented images are for NVIDIA drivers 470 and 535."""
    version = fields.text("TransformResources.TransformAmiVersion")
    documented = ("al2-ami-sagemaker-batch-gpu-470", "al2-ami-sagemaker-batch-gpu-535")
    if version is not None and version not in documented:
        message = f"{version!r} is not a documented image; those are {' and '.join(documented)}. Check it"
        path = "TransformResources.TransformAmiVersion"
        yield warning("image-version", path, message, "TransformResources API reference")


RESOURCE_RULES: Final = (private_network, instance_count, volume_key, image_version)
