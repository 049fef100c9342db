"""A checked request in the forms that start a job: bare JSON, a shell command, a script, a state machine, Terraform.

A document may have been edited since it was checked, so each form is made of a request that is checked again here;
one that fails is never written.
"""

import json
import pprint
import shlex
from pathlib import Path
from typing import Final, Literal, TypeAlias, assert_never

from planner.documents import Json, written_whole
from planner.jobs.check import accepted
from planner.jobs.request import TransformJobDocument
from planner.jobs.service_model import fields

EmitKind: TypeAlias = Literal["json", "cli", "boto3", "stepfunctions", "terraform"]

_STATE: Final = "Transform"
_UUID_LENGTH: Final = 36


def emitted(document: TransformJobDocument, kind: EmitKind) -> str:
    """The text of the request in the given form, ending with a newline.

    json: what ``aws sagemaker create-transform-job --cli-input-json file://FILE`` takes. cli: that command, quoted for
    a POSIX shell. boto3: a script. stepfunctions: a state machine in Amazon States Language that runs the job and
    waits for it. terraform: that state machine with its role as ``.tf.json``, because neither of Terraform's AWS
    providers (aws, awscc) has a resource for a transform job, which is something to run, not to keep. Raises
    RequestRejectedError.
    """
    accepted(document.request)
    match kind:
        case "json":
            return _json(document.request)
        case "cli":
            body = json.dumps(document.request, sort_keys=True)
            region = shlex.quote(document.region)
            return f"aws sagemaker create-transform-job --region {region} --cli-input-json {shlex.quote(body)}\n"
        case "boto3":
            return _script(document)
        case "stepfunctions":
            return _json(state_machine(document))
        case "terraform":
            return _json(_terraform(document))
        case _:
            assert_never(kind)


def write_emitted(path: Path, document: TransformJobDocument, kind: EmitKind) -> None:
    """Write that text to a file, whole or not at all. Raises RequestRejectedError before the file is touched."""
    text = emitted(document, kind)
    with written_whole(path) as stream:
        stream.write(text.encode())


def _json(value: Json) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _script(document: TransformJobDocument) -> str:
    """A Python script that starts the job and prints its ARN."""
    literal = pprint.pformat(document.request, width=100, sort_dicts=False)
    return f'''"""Start the transform job {document.request["TransformJobName"]}; needs boto3 and AWS credentials."""

import boto3

REGION = {document.region!r}
REQUEST = {literal}


def main() -> None:
    """Start the job and print its ARN."""
    client = boto3.client("sagemaker", region_name=REGION)
    print(client.create_transform_job(**REQUEST)["TransformJobArn"])


if __name__ == "__main__":
    main()
'''


def state_machine(document: TransformJobDocument) -> Json:
    """The state machine, in Amazon States Language, that runs the job and ends when the job has ended.

    A state machine runs many times and a job name can be used only once, so each execution names its job
    ``<first 26 characters of the name>-<UUID>``. Step Functions' own integration (``.sync``) is used; it adds the tag
    MANAGED_BY_AWS, for which the role needs sagemaker:AddTags. The fields that `request` sets are known to pass through
    it; DataCaptureConfig and TransformAmiVersion are not known to.
    Source: AWS Step Functions developer guide, connect-sagemaker; aws/aws-cdk issue 26012 for the tag, pull requests
    11892 and 13547 for ModelClientConfig and DataProcessing.
    """
    parameters = {name: value for name, value in document.request.items() if name != "TransformJobName"}
    parameters["TransformJobName.$"] = f"States.Format('{_name_prefix(document)}-{{}}', States.UUID())"
    return {
        "Comment": f"Batch transform job planned for {document.region}, plan {document.plan_digest[:12]}",
        "StartAt": _STATE,
        "States": {
            _STATE: {
                "Type": "Task",
                "Resource": f"arn:{_partition(document.region)}:states:::sagemaker:createTransformJob.sync",
                "Parameters": parameters,
                "End": True,
            }
        },
    }


def _name_prefix(document: TransformJobDocument) -> str:
    most = fields()["TransformJobName"].maximum
    assert most is not None
    name: str = document.request["TransformJobName"]
    return name[: most - _UUID_LENGTH - 1].rstrip("-")


def _partition(region: str) -> str:
    """The AWS partition that a region belongs to, as botocore's endpoint data has it."""
    from botocore.session import Session

    return str(Session().get_partition_for_region(region))


def _terraform(document: TransformJobDocument) -> Json:
    """Terraform's JSON syntax: the state machine and the role that it needs; ``terraform apply`` runs no job."""
    name = _name_prefix(document)
    account = "${data.aws_partition.current.partition}:%s:*:${data.aws_caller_identity.current.account_id}"
    sagemaker = ["CreateTransformJob", "DescribeTransformJob", "StopTransformJob", "AddTags", "ListTags"]
    events = ["PutTargets", "PutRule", "DescribeRule"]
    # SageMaker spells job names in ARNs in lower case.
    jobs = [f"arn:{account % 'sagemaker'}:transform-job/{spelt}*" for spelt in sorted({name, name.lower()})]
    rule = f"arn:{account % 'events'}:rule/StepFunctionsGetEventsForSageMakerTransformJobsRule"
    policy = _policy(
        ([f"sagemaker:{action}" for action in sagemaker], jobs), ([f"events:{action}" for action in events], [rule])
    )
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "states.amazonaws.com"}}
        ],
    }
    return {
        "//": "terraform apply creates a state machine; aws stepfunctions start-execution then runs the job.",
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}},
        "data": {"aws_caller_identity": {"current": {}}, "aws_partition": {"current": {}}},
        "resource": {
            "aws_iam_role": {"transform": {"name_prefix": f"{name}-", "assume_role_policy": json.dumps(trust)}},
            "aws_iam_role_policy": {
                "transform": {"role": "${aws_iam_role.transform.id}", "policy": json.dumps(policy)}
            },
            "aws_sfn_state_machine": {
                "transform": {
                    "name": name,
                    "role_arn": "${aws_iam_role.transform.arn}",
                    "definition": _literal(json.dumps(state_machine(document), sort_keys=True)),
                }
            },
        },
        "output": {"state_machine_arn": {"value": "${aws_sfn_state_machine.transform.arn}"}},
    }


def _policy(*grants: tuple[list[str], list[str]]) -> Json:
    statements = [{"Effect": "Allow", "Action": actions, "Resource": resources} for actions, resources in grants]
    return {"Version": "2012-10-17", "Statement": statements}


def _literal(text: str) -> str:
    """The text as Terraform must spell it where ``${`` and ``%{`` would begin a template."""
    return text.replace("${", "$${").replace("%{", "%%{")
