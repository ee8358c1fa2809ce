"""Calls whose event name is not their IAM action, or whose resource is not where one would look: a record of each.

The records have the shape that AWS documents for the event; they are read through the whole of ingest.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tightener.config import Config
from tightener.pipeline import open_project, read_logs
from tightener.services.catalogue import find

ACCOUNT = "111122223333"
REGION = "eu-west-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app/agent"
DATA, MANAGEMENT = "Data", "Management"
SCOPE = f"{REGION}:{ACCOUNT}"
KEY1, KEY2 = "1234abcd-12ab-34cd-56ef-1234567890ab", "0987dcba-09fe-87dc-65ba-ab0987654321"
KMS = f"arn:aws:kms:{SCOPE}:key/"
BUCKET, OBJECT = "arn:aws:s3:::b", "arn:aws:s3:::b/in/x.csv"
HOST = {"bucketName": "b", "Host": "b.s3.eu-west-1.amazonaws.com"}
ON_OBJECT = {**HOST, "key": "in/x.csv"}
TABLE = f"arn:aws:dynamodb:{SCOPE}:table/"
QUEUE = {"queueUrl": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/jobs"}
QUEUE_ARN = f"arn:aws:sqs:{SCOPE}:jobs"
TOPIC = f"arn:aws:sns:{SCOPE}:alerts"
FUNCTION = f"arn:aws:lambda:{SCOPE}:function:f"
PASSED = f"arn:aws:iam::{ACCOUNT}:role/passed"
TASK = f"arn:aws:ecs:{SCOPE}:task-definition/web"
MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
MODEL_ARN = f"arn:aws:bedrock:{REGION}::foundation-model/{MODEL}"
GATEWAY = f"arn:aws:apigateway:{REGION}::"


def record(source, event, params, category=MANAGEMENT, **over):
    """One record as CloudTrail delivers it (version 1.11)."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:run-7",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/agent/run-7",
            "accountId": ACCOUNT,
            "accessKeyId": "ASIAEXAMPLE",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": ROLE, "accountId": ACCOUNT, "userName": "agent"},
                "attributes": {"creationDate": "2026-03-01T09:00:00Z", "mfaAuthenticated": "false"},
            },
        },
        "eventTime": "2026-03-01T10:00:00Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": event,
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "Boto3/1.40",
        "requestParameters": params,
        "responseElements": None,
        "requestID": "req-1",
        "eventID": "id-1",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": category == MANAGEMENT,
        "recipientAccountId": ACCOUNT,
        "eventCategory": category,
        **over,
    }


def on(kind, *arns):
    return {"resources": [{"accountId": ACCOUNT, "type": kind, "ARN": arn} for arn in arns]}


S3_RESOURCES = {"resources": [{"type": "AWS::S3::Object", "ARN": OBJECT},
                              {"accountId": ACCOUNT, "type": "AWS::S3::Bucket", "ARN": BUCKET}]}  # fmt: skip


def s3(event, action, params=ON_OBJECT, resource=OBJECT, partial="", **over):
    return (record("s3", event, params, DATA, **(S3_RESOURCES if params is ON_OBJECT else {}), **over),
            [(action, resource, partial)])  # fmt: skip


def bucket(event, action):
    return s3(event, action, HOST, BUCKET)


VERSIONED = {**ON_OBJECT, "versionId": "v1"}
COPY = {**ON_OBJECT, "x-amz-copy-source": "src/a%20b.csv"}
READ_SOURCE = ("s3:GetObject", "arn:aws:s3:::src/a b.csv", "")
WRITE = ("s3:PutObject", OBJECT, "")
HTTP = [
    ("CreateRestApi", {"createRestApiInput": {"name": "x"}}, "POST", "/restapis", ""),
    ("GetRestApi", {"restApiId": "3rbEXAMPLE", "template": False}, "GET", "/restapis/3rbEXAMPLE", ""),
    ("UpdateRestApi", {"restApiId": "3rbEXAMPLE"}, "PATCH", "/restapis/3rbEXAMPLE", ""),
    ("PutMethod", {"restApiId": "a", "resourceId": "r", "httpMethod": "GET"}, "PUT", "/restapis/a/resources/r/methods/GET", ""),
    ("PutIntegrationResponse", {"restApiId": "a", "resourceId": "r", "httpMethod": "GET", "statusCode": "200"}, "PUT",
     "/restapis/a/resources/r/methods/GET/integration/responses/200", ""),
    ("DeleteRestApi", {"restApiId": "a"}, "DELETE", "/restapis/a", ""),
    ("CreateAuthorizer", {"restApiId": "a"}, "POST", "/restapis/a/authorizers", ""),
    ("CreateAuthorizer", {"apiId": "a"}, "POST", "/v2/apis/a/authorizers", ""),
    ("GetIntegration", {"apiId": "a", "integrationId": "i"}, "GET", "/v2/apis/a/integrations/i", ""),
]  # fmt: skip
LAMBDA = ["AddPermission20150331v2", "CreateFunction20150331", "DeleteFunction20150331", "GetFunction20150331v2",
          "ListVersionsByFunction20150331", "RemovePermission20150331v2", "UpdateFunctionCode20150331v2",
          "UpdateFunctionConfiguration20150331v2"]  # fmt: skip

ROWS = [
    (record("s3", "ListBuckets", {"Host": "s3.amazonaws.com"}), [("s3:ListAllMyBuckets", "", "")]),
    *(bucket(event, "s3:ListBucket") for event in ("ListObjects", "ListObjectsV2", "HeadBucket")),
    s3("ListObjectsV2", "s3:ListBucket", {**HOST, "prefix": "in/"}, "arn:aws:s3:::b/in/"),
    bucket("ListObjectVersions", "s3:ListBucketVersions"),
    bucket("ListMultipartUploads", "s3:ListBucketMultipartUploads"),
    s3("ListParts", "s3:ListMultipartUploadParts"),
    s3("GetObject", "s3:GetObject"),
    s3("HeadObject", "s3:GetObject"),
    *(
        s3(event, action, VERSIONED)
        for event, action in (
            ("GetObject", "s3:GetObjectVersion"), ("HeadObject", "s3:GetObjectVersion"),
            ("GetObjectAcl", "s3:GetObjectVersionAcl"), ("GetObjectTagging", "s3:GetObjectVersionTagging"),
            ("DeleteObject", "s3:DeleteObjectVersion"), ("PutObjectAcl", "s3:PutObjectVersionAcl"),
            ("PutObjectTagging", "s3:PutObjectVersionTagging"), ("DeleteObjectTagging", "s3:DeleteObjectVersionTagging"),
        )
    ),
    (record("s3", "CopyObject", COPY, DATA), [READ_SOURCE, WRITE]),
    (record("s3", "UploadPartCopy", COPY, DATA), [READ_SOURCE, WRITE]),
    (record("s3", "CopyObject", {**COPY, "x-amz-copy-source": "src/a?versionId=3"}, DATA),
     [("s3:GetObjectVersion", "arn:aws:s3:::src/a", ""), WRITE]),
    (record("s3", "CopyObject", {**COPY, "x-amz-tagging": "a=b", "x-amz-acl": "private", "x-amz-object-lock-mode": "GOVERNANCE",
                                 "x-amz-object-lock-legal-hold": "ON"}, DATA),
     [READ_SOURCE, WRITE, *((f"s3:PutObject{what}", OBJECT, "") for what in ("Tagging", "Acl", "Retention", "LegalHold"))]),
    *(s3(event, "s3:PutObject") for event in ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PostObject")),
    s3("DeleteObjects", "s3:DeleteObject", {**HOST, "delete": ""}, f"{BUCKET}/*", "resource"),
    (record("s3", "DeleteObjects", {**HOST, "x-amz-bypass-governance-retention": "true"}, DATA),
     [("s3:DeleteObject", f"{BUCKET}/*", "resource"), ("s3:BypassGovernanceRetention", f"{BUCKET}/*", "resource")]),
    (record("s3", "GetObjectAttributes", ON_OBJECT, DATA), [("s3:GetObject", OBJECT, ""), ("s3:GetObjectAttributes", OBJECT, "")]),
    *(
        bucket(event, f"s3:{action}")
        for event, action in (
            ("GetBucketLifecycle", "GetLifecycleConfiguration"),
            ("PutBucketLifecycleConfiguration", "PutLifecycleConfiguration"),
            ("DeleteBucketLifecycle", "PutLifecycleConfiguration"),
            ("GetBucketEncryption", "GetEncryptionConfiguration"), ("PutBucketEncryption", "PutEncryptionConfiguration"),
            ("DeleteBucketEncryption", "PutEncryptionConfiguration"),
            ("GetBucketReplication", "GetReplicationConfiguration"),
            ("DeleteBucketReplication", "PutReplicationConfiguration"),
            *((f"{verb}Bucket{what}Configuration{'s' * (verb == 'List')}", f"{'Get' if verb in {'Get', 'List'} else 'Put'}{what}Configuration")
              for what in ("Analytics", "Inventory", "Metrics", "IntelligentTiering") for verb in ("Get", "Put", "List", "Delete")),
            ("GetBucketAccelerateConfiguration", "GetAccelerateConfiguration"),
            ("PutBucketAccelerateConfiguration", "PutAccelerateConfiguration"),
            ("GetBucketNotificationConfiguration", "GetBucketNotification"),
            ("PutBucketNotificationConfiguration", "PutBucketNotification"),
            ("DeleteBucketCors", "PutBucketCORS"), ("DeleteBucketTagging", "PutBucketTagging"),
            ("DeleteBucketOwnershipControls", "PutBucketOwnershipControls"),
            ("DeleteBucketPublicAccessBlock", "PutBucketPublicAccessBlock"),
            ("GetPublicAccessBlock", "GetBucketPublicAccessBlock"), ("GetBucketPublicAccessBlock", "GetBucketPublicAccessBlock"),
            ("PutPublicAccessBlock", "PutBucketPublicAccessBlock"),
            ("GetObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
            ("GetBucketObjectLockConfiguration", "GetBucketObjectLockConfiguration"),
            ("PutObjectLockConfiguration", "PutBucketObjectLockConfiguration"),
        )
    ),
    (record("s3", "PutBucketReplication", {**HOST, "ReplicationConfiguration": {"Role": PASSED}}),
     [("s3:PutReplicationConfiguration", BUCKET, ""), ("iam:PassRole", PASSED, "")]),
    (record("s3", "DeleteAccountPublicAccessBlock", {}), [("s3:PutAccountPublicAccessBlock", "", "")]),
    s3("SelectObjectContent", "s3:GetObject"),
    s3("GetObjectTorrent", "s3:GetObject"),
    (record("s3", "GetStorageLensDashboardDataInternal", {}), [("s3:GetStorageLensDashboard", "*", "resource")]),
    (record("s3express", "GetObject", {"bucketName": "b--euw1-az1--x-s3", "key": "k"}, DATA),
     [("s3express:CreateSession", f"arn:aws:s3express:{SCOPE}:bucket/b--euw1-az1--x-s3", "")]),
    *((record("lambda", event, {"functionName": "f"}), [(f"lambda:{event.partition('2015')[0]}", FUNCTION, "")]) for event in LAMBDA),
    *((record("lambda", event, {"functionName": "f"}, DATA, **on("AWS::Lambda::Function", FUNCTION)), [(action, FUNCTION, "")])
      for event, action in (("Invoke", "lambda:InvokeFunction"), ("InvokeWithResponseStream", "lambda:InvokeFunction"),
                            ("InvokeAsync", "lambda:InvokeAsync"), ("InvokeFunctionUrl", "lambda:InvokeFunctionUrl"))),
    (record("lambda", "GetLayerVersionByArn20181031", {"arn": f"arn:aws:lambda:{SCOPE}:layer:l:3"}),
     [("lambda:GetLayerVersion", f"arn:aws:lambda:{SCOPE}:layer:l:3", "")]),
    (record("cloudfront", "GetDistribution2020_05_31", {"id": "E1"}, awsRegion="us-east-1"),
     [("cloudfront:GetDistribution", f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1", "")]),
    *((record("apigateway", event, params), [(f"apigateway:{verb}", GATEWAY + path, partial)]) for event, params, verb, path, partial in HTTP),
    (record("dynamodb", "TransactGetItems", {"transactItems": [{"get": {"tableName": "t"}}]}, DATA),
     [("dynamodb:GetItem", f"{TABLE}t", "")]),
    (record("dynamodb", "TransactWriteItems", {"transactItems": [
        {"put": {"tableName": "t"}}, {"update": {"tableName": "u"}}, {"delete": {"tableName": "v"}}, {"conditionCheck": {"tableName": "w"}}]}, DATA),
     [("dynamodb:PutItem", f"{TABLE}t", ""), ("dynamodb:UpdateItem", f"{TABLE}u", ""), ("dynamodb:DeleteItem", f"{TABLE}v", ""),
      ("dynamodb:ConditionCheckItem", f"{TABLE}w", "")]),
    *((record("dynamodb", "ExecuteStatement", {"statement": statement}, DATA), [(f"dynamodb:PartiQL{verb}", f"{TABLE}t", "")])
      for verb, statement in (("Select", 'SELECT * FROM "t"'), ("Insert", "INSERT INTO t VALUE {'a': 1}"),
                              ("Update", "UPDATE t SET a=1 WHERE b=2"), ("Delete", "DELETE FROM t WHERE b=2"))),
    (record("dynamodb", "BatchExecuteStatement", {"statements": [{"statement": "SELECT a FROM t"}]}, DATA), [("dynamodb:PartiQLSelect", f"{TABLE}t", "")]),
    (record("dynamodb", "ExecuteTransaction", {"transactStatements": [{"statement": "DELETE FROM t WHERE a=1"}]}, DATA), [("dynamodb:PartiQLDelete", f"{TABLE}t", "")]),
    (record("dynamodb", "BatchGetItem", {"requestItems": {"t": {"keys": []}, "u": {"keys": []}}}, DATA),
     [("dynamodb:BatchGetItem", f"{TABLE}t", ""), ("dynamodb:BatchGetItem", f"{TABLE}u", "")]),
    (record("dynamodb", "BatchWriteItem", {"requestItems": {"t": []}}, DATA), [("dynamodb:BatchWriteItem", f"{TABLE}t", "")]),
    (record("dynamodb", "Query", {"tableName": "t"}, DATA, **on("AWS::DynamoDB::Table", f"{TABLE}t")), [("dynamodb:Query", f"{TABLE}t", "")]),
    (record("dynamodb", "Query", {"tableName": "t", "indexName": "i"}, DATA, **on("AWS::DynamoDB::Table", f"{TABLE}t")),
     [("dynamodb:Query", f"{TABLE}t/index/i", "")]),
    (record("kms", "ReEncrypt", {"sourceKeyId": KMS + KEY1, "destinationKeyId": KMS + KEY2}, **on("AWS::KMS::Key", KMS + KEY1, KMS + KEY2)),
     [("kms:ReEncryptFrom", KMS + KEY1, ""), ("kms:ReEncryptTo", KMS + KEY2, "")]),
    (record("kms", "ReEncrypt", {"destinationKeyId": "alias/x"}, **on("AWS::KMS::Key", KMS + KEY1, KMS + KEY2)),
     [("kms:ReEncryptFrom", KMS + KEY1, ""), ("kms:ReEncryptTo", KMS + KEY2, "")]),
    (record("sqs", "SendMessageBatch", QUEUE, DATA), [("sqs:SendMessage", QUEUE_ARN, "")]),
    (record("sqs", "DeleteMessageBatch", QUEUE, DATA), [("sqs:DeleteMessage", QUEUE_ARN, "")]),
    (record("sqs", "ChangeMessageVisibilityBatch", QUEUE, DATA), [("sqs:ChangeMessageVisibility", QUEUE_ARN, "")]),
    (record("sns", "PublishBatch", {"topicArn": TOPIC}, DATA), [("sns:Publish", TOPIC, "")]),
    (record("bedrock", "Converse", {"modelId": MODEL}), [("bedrock:InvokeModel", MODEL_ARN, "")]),
    (record("bedrock", "InvokeModelWithBidirectionalStream", {"modelId": MODEL}), [("bedrock:InvokeModel", MODEL_ARN, "")]),
    (record("bedrock", "ConverseStream", {"modelId": MODEL}), [("bedrock:InvokeModelWithResponseStream", MODEL_ARN, "")]),
    (record("sts", "GetCallerIdentity", None), [("sts:GetCallerIdentity", "", "")]),
    (record("sts", "GetSessionToken", None), [("sts:GetSessionToken", "", "")]),
    (record("dynamodb", "DescribeEndpoints", None), [("dynamodb:DescribeEndpoints", "", "")]),
    (record("sts", "AssumeRole", {"roleArn": PASSED, "roleSessionName": "s", "tags": [{"key": "a", "value": "b"}], "sourceIdentity": "me",
                                  "providedContexts": [{"providerArn": "arn:aws:iam::aws:contextProvider/IdentityCenter"}]}),
     [("sts:AssumeRole", PASSED, ""), ("sts:TagSession", PASSED, ""), ("sts:SetSourceIdentity", PASSED, ""), ("sts:SetContext", PASSED, "")]),
    *((record("sts", event, {"roleArn": PASSED}, userIdentity={"type": kind, "principalId": "p", "userName": "u"}), [(f"sts:{event}", "", "")])
      for event, kind in (("AssumeRoleWithSAML", "SAMLUser"), ("AssumeRoleWithWebIdentity", "WebIdentityUser"))),
    (record("servicecatalog-appregistry", "ListApplications", {}), [("servicecatalog:ListApplications", "", "")]),
    (record("budgets", "CreateBudget", {"accountId": ACCOUNT, "budget": {"budgetName": "x"}}), [("budgets:ModifyBudget", "*", "resource")]),
    (record("budgets", "DescribeBudgets", {"accountId": ACCOUNT}), [("budgets:ViewBudget", "*", "resource")]),
    (record("ecs", "RunTask", {"cluster": "c", "taskDefinition": f"{TASK}:7", "overrides": {"taskRoleArn": PASSED}, "tags": [{"key": "a"}]}),
     [("ecs:RunTask", f"{TASK}:7", ""), ("iam:PassRole", PASSED, ""), ("ecs:TagResource", "*", "resource")]),
    (record("ecs", "RegisterTaskDefinition", {"family": "web", "executionRoleArn": PASSED}),
     [("ecs:RegisterTaskDefinition", f"{TASK}:*", "resource"), ("iam:PassRole", PASSED, "")]),
    (record("lambda", "CreateFunction20150331", {"functionName": "f", "role": PASSED, "tags": {"a": "b"}}),
     [("lambda:CreateFunction", FUNCTION, ""), ("iam:PassRole", PASSED, ""), ("lambda:TagResource", "*", "resource")]),
    (record("iam", "AddRoleToInstanceProfile", {"instanceProfileName": "p", "roleName": "r"}),
     [("iam:AddRoleToInstanceProfile", f"arn:aws:iam::{ACCOUNT}:instance-profile/*p", "resource"),
      ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/*r", "resource")]),
    (record("iam", "GetUser", None), [("iam:GetUser", ROLE, "")]),
    (record("iam", "ListAccessKeys", None), [("iam:ListAccessKeys", ROLE, "")]),
    (record("ssm", "ListTagsForResource", {"resourceType": "Parameter", "resourceId": "/a/b"}),
     [("ssm:ListTagsForResource", f"arn:aws:ssm:{SCOPE}:parameter/a/b", "")]),
]  # fmt: skip


def ingested(folder: Path, records):
    """The requests of each record (by its number), through ingest and the database's own events."""
    (folder / "trail.json").write_text(
        json.dumps({"Records": [{**one, "eventID": f"id-{number}"} for number, one in enumerate(records)]})
    )
    project = open_project(Config(), None)
    report = read_logs(project, [str(folder / "trail.json")], datetime(2026, 4, 1, tzinfo=UTC), lambda _: None)
    (file,) = report.files
    assert (file.records, file.accepted, report.problems) == (len(records), len(records), ())
    found = defaultdict(list)
    for native_id, *request in project.con.execute(
        "SELECT native_id, action, resource, partial, outcome, mapped FROM event ORDER BY native_id, part"
    ).fetchall():
        found[int(native_id.removeprefix("id-"))].append(tuple(request))
    return found


@pytest.fixture(scope="module")
def of_rows(tmp_path_factory):
    return ingested(tmp_path_factory.mktemp("irregular"), [one for one, _ in ROWS])


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[f"{n}-{row['eventName']}" for n, (row, _) in enumerate(ROWS)])
def test_row(of_rows, number):
    assert sorted(request[:3] for request in of_rows[number]) == sorted(ROWS[number][1])
    assert all(mapped for *_, mapped in of_rows[number])


NEEDLESS = {"GetCallerIdentity", "GetSessionToken", "DescribeEndpoints", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}


def test_what_needs_no_permission_is_no_evidence(of_rows):
    for number, (one, _) in enumerate(ROWS):
        needless = one["eventName"] in NEEDLESS
        assert {outcome for *_, outcome, _ in of_rows[number]} == {"no_evidence" if needless else "used"}


EC2 = f"arn:aws:ec2:{SCOPE}:"
MISSING = "arn:*:ec2:*:*:"
RUN = {
    "instancesSet": {"items": [{"imageId": "ami-1", "minCount": 1, "maxCount": 1, "keyName": "k"}]},
    "groupSet": {"items": [{"groupId": "sg-1"}, {"groupId": "sg-2"}]},
    "subnetId": "subnet-1",
    "iamInstanceProfile": {"name": "p"},
}
# What is found; and patterns of kinds that were needed and not found (all of them, where None).
SEVERAL = [
    (record("ec2", "TerminateInstances", {"instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]}}),
     {f"{EC2}instance/i-1", f"{EC2}instance/i-2"}, set()),
    (record("ec2", "AttachVolume", {"volumeId": "vol-1", "instanceId": "i-1"}), {f"{EC2}volume/vol-1", f"{EC2}instance/i-1"}, set()),
    (record("ec2", "CreateTags", {"resourcesSet": {"items": [{"resourceId": "i-1"}, {"resourceId": "vol-1"}]}}),
     {f"{EC2}instance/i-1", f"{EC2}volume/vol-1"}, set()),
    (record("ec2", "RunInstances", RUN),
     {f"arn:aws:ec2:{REGION}::image/ami-1", f"{EC2}security-group/sg-1", f"{EC2}security-group/sg-2", f"{EC2}subnet/subnet-1",
      f"{EC2}key-pair/k"}, None),
    (record("ec2", "CreateNatGateway", {"CreateNatGatewayRequest": {"SubnetId": "subnet-1", "AllocationId": "eipalloc-1"}}),
     {f"{EC2}subnet/subnet-1", f"{EC2}elastic-ip/eipalloc-1"}, {f"{MISSING}natgateway/*"}),
    (record("rds", "CreateDBSnapshot", {"dBInstanceIdentifier": "d", "dBSnapshotIdentifier": "s"}),
     {f"arn:aws:rds:{SCOPE}:db:d", f"arn:aws:rds:{SCOPE}:snapshot:s"}, set()),
    (record("glue", "GetTable", {"databaseName": "d", "name": "t"}),
     {f"arn:aws:glue:{SCOPE}:{rest}" for rest in ("catalog", "database/d", "table/d/t")}, set()),
    (record("glue", "GetTables", {"databaseName": "d"}),
     {f"arn:aws:glue:{SCOPE}:catalog", f"arn:aws:glue:{SCOPE}:database/d"}, {"arn:*:glue:*:*:table/*/*"}),
    (record("ssm", "SendCommand", {"documentName": "AWS-RunShellScript", "instanceIds": ["i-1", "mi-2"]}),
     {f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript", f"{EC2}instance/i-1", f"arn:aws:ssm:{SCOPE}:managed-instance/mi-2"},
     set()),
    (record("kms", "CreateAlias", {"aliasName": "alias/a", "targetKeyId": KMS + KEY1}),
     {KMS + KEY1, f"arn:aws:kms:{SCOPE}:alias/a"}, set()),
    (record("lambda", "TagResource20170331v2", {"resource": FUNCTION, "tags": {}}), {FUNCTION}, set()),
    (record("iam", "GetRole", {"roleName": "r"}), set(), {f"arn:aws:iam::{ACCOUNT}:role/*r"}),
    (record("bedrock", "InvokeModel", {"modelId": f"us.{MODEL}"}),
     {f"arn:aws:bedrock:{SCOPE}:inference-profile/us.{MODEL}"}, None),
    (record("dynamodb", "Query", None, DATA, **on("AWS::DynamoDB::Table", f"{TABLE}t")), {f"{TABLE}t"}, {"arn:*:dynamodb:*:*:table/*/index/*"}),
    (record("events", "PutRule", {"name": "r", "eventBusName": "bus"}), {f"arn:aws:events:{SCOPE}:rule/bus/r"}, set()),
    (record("events", "PutRule", {"name": "r", "eventBusName": "default"}), {f"arn:aws:events:{SCOPE}:rule/r"}, set()),
    (record("ec2", "DeleteVpc", {"vpcId": "vpc-1"}, awsRegion="us-gov-west-1"),
     {f"arn:aws-us-gov:ec2:us-gov-west-1:{ACCOUNT}:vpc/vpc-1"}, set()),
    (record("sqs", "SendMessage", {"queueUrl": f"https://sqs.cn-north-1.amazonaws.com.cn/{ACCOUNT}/q"}, awsRegion="cn-north-1"),
     {f"arn:aws-cn:sqs:cn-north-1:{ACCOUNT}:q"}, set()),
    (record("bedrock-agentcore", "StartBrowserSession", {"browserIdentifier": "aws.browser.v1"}),
     {f"arn:aws:bedrock-agentcore:{REGION}:aws:browser/aws.browser.v1"}, set()),
    (record("route53", "ChangeResourceRecordSets", {"hostedZoneId": "Z1", "changeBatch": {}}), {"arn:aws:route53:::hostedzone/Z1"}, set()),
]  # fmt: skip


@pytest.fixture(scope="module")
def of_several(tmp_path_factory):
    return ingested(tmp_path_factory.mktemp("several"), [one for one, _, _ in SEVERAL])


@pytest.mark.parametrize(
    "number", range(len(SEVERAL)), ids=[f"{n}-{row['eventName']}" for n, (row, _, _) in enumerate(SEVERAL)]
)
def test_several_kinds_of_resource(of_several, number):
    one, exact, vague = SEVERAL[number]
    action = of_several[number][0][0]
    own = [request for request in of_several[number] if request[0] == action]
    assert {resource for _, resource, partial, *_ in own if not partial} == exact
    patterns = {resource for _, resource, partial, *_ in own if partial}
    assert patterns if vague is None else patterns == vague


def test_a_needed_kind_is_always_found_or_partial(of_several):
    """Against the catalogue, for what is left open above: each required type has a resource or a pattern."""
    for number, (_, _, vague) in enumerate(SEVERAL):
        if vague is not None:
            continue
        action = of_several[number][0][0]
        resources = [resource for name, resource, *_ in of_several[number] if name == action]
        for required in find(action).required_formats:
            glob = re.sub(r"\$\{[^}]+\}", "*", required)
            assert any(fnmatch.fnmatchcase(resource, glob) for resource in resources), (action, glob)
