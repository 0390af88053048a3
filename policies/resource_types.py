"""Type tokens that several rules speak of, under one name each."""

AWS_BUCKET = ("aws:s3/bucket:Bucket", "aws:s3/bucketV2:BucketV2")
AWS_BUCKET_ENCRYPTION = (
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
)
AWS_BUCKET_LIFECYCLE = ("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",)
AWS_BUCKET_POLICY = ("aws:s3/bucketPolicy:BucketPolicy",)
AWS_BUCKET_PUBLIC_ACCESS = ("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",)
AWS_BUCKET_VERSIONING = ("aws:s3/bucketVersioning:BucketVersioning",)
AWS_CLUSTER = ("aws:eks/cluster:Cluster",)
AWS_DATABASE = ("aws:rds/instance:Instance",)
AWS_KEY = ("aws:kms/key:Key",)
AWS_LISTENER = ("aws:lb/listener:Listener",)
AWS_LOAD_BALANCER = ("aws:lb/loadBalancer:LoadBalancer",)
AWS_PARAMETER_GROUP = ("aws:rds/parameterGroup:ParameterGroup",)

GCP_BUCKET = ("gcp:storage/bucket:Bucket",)
GCP_DATABASE = ("gcp:sql/databaseInstance:DatabaseInstance",)
GCP_KEY = ("gcp:kms/cryptoKey:CryptoKey",)
GCP_SERVICE = ("gcp:cloudrunv2/service:Service",)

KUBERNETES_WORKLOADS = (
    "kubernetes:apps/v1:Deployment",
    "kubernetes:apps/v1:StatefulSet",
    "kubernetes:apps/v1:DaemonSet",
    "kubernetes:batch/v1:Job",
    "kubernetes:batch/v1:CronJob",
)
